"""A results folder of another machine, its bundle, and whose machine that is."""

import shutil

import pytest
from support.bundles import HOME, HOST, USER, bundle_of, scoring_row, speed_run

import harness.bundles.pack as packing
from harness.bundles.private import Private


@pytest.fixture(autouse=True)
def theirs(monkeypatch):
    """Everything is packed on a machine of that name, by a user of that name."""
    names = Private(frozenset({HOST}), frozenset({USER}), frozenset({HOME}))
    monkeypatch.setattr(packing, "this_machine", lambda: names)


@pytest.fixture(scope="session")
def far(tmp_path_factory):
    """Results of another machine: two points of speed, and one of scoring beside lm-eval."""
    results = tmp_path_factory.mktemp("far")
    return results, [speed_run(results, batches=(1, 2)), scoring_row(results)]


@pytest.fixture(scope="session")
def packed_once(far, tmp_path_factory):
    names = Private(frozenset({HOST}), frozenset({USER}), frozenset({HOME}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "this_machine", lambda: names)
        return bundle_of(*far, tmp_path_factory.mktemp("packed"))


@pytest.fixture
def bundle(packed_once, tmp_path):
    """A copy of the bundle, to be damaged."""
    folder = tmp_path / "given"
    folder.mkdir()
    return shutil.copy(packed_once, folder / packed_once.name)
