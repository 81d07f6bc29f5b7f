"""A hub of this machine in place of the hub, tiny models for it to hold, and a model whose weights are pickled."""

import os
import shutil

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file
from support.fake_hub import FakeHub
from support.tiny_checkpoints import tiny

from zoo.checkpoint.hub import reachable
from zoo.checkpoint.pickled import conversion

TRAINERS_OWN = ("training_args.bin", "optimizer.bin", "scheduler.pt")
"""Files that a trainer leaves beside pickled weights."""


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


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """minizoo's cache of this module, empty at first."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    yield folder / "minizoo" / "converted"
    os.environ.pop("XDG_CACHE_HOME")
    if before is not None:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="module")
def stories_bin(stories, tmp_path_factory):
    """The tiny trained Llama, its weights pickled, with a trainer's files beside them."""
    folder = tmp_path_factory.mktemp("models") / "stories-bin"
    shutil.copytree(stories, folder)
    folder.chmod(0o755)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    for name in TRAINERS_OWN:
        (folder / name).write_bytes(b"not weights")
    return folder


@pytest.fixture
def no_process(monkeypatch):
    """No pickle is opened any more."""

    def opened(files):
        raise AssertionError(f"{files} would be unpickled")

    monkeypatch.setattr(conversion, "list_tensors", opened)
