"""A hub of this machine in place of the hub, and tiny models for it to hold."""

import pytest
from huggingface_hub import constants
from support.fake_hub import FakeHub
from support.tiny_checkpoints import tiny

from zoo.checkpoint.hub import reachable


@pytest.fixture
def online(monkeypatch, tmp_path):
    """A function that makes a hub of this machine the hub, with an empty cache and no token."""
    monkeypatch.delenv("HF_TOKEN", raising=False)

    def use(hub: FakeHub) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        reachable.ask_again()

    return use


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A model in one file, by name → bytes."""
    return files_of(tiny("llama", tmp_path_factory.mktemp("hub") / "whole"))


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    """A model in shards of 40 KB, by name → bytes."""
    return files_of(tiny("llama", tmp_path_factory.mktemp("hub") / "sharded", shard="40KB", seed=1))


def files_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
