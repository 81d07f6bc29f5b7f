"""The small registry, and a results folder that is empty at first."""

import pytest
from support.board_registry import REGISTRY, Results

from zoo.registry.loader import load_registry


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    path = tmp_path_factory.mktemp("registry") / "registry.yaml"
    path.write_text(REGISTRY, "utf-8")
    return load_registry(path)


@pytest.fixture
def results(tmp_path, registry):
    return Results(tmp_path / "results", registry)
