"""A baseline of two tasks, accepted on a machine of that name by a user of that name."""

import pytest
from support.accepted import accepted_run
from support.bundles import HOME, HOST, SETTING, USER

import harness.baselines.bundle as packing
from harness.baselines.accept import accept
from harness.bundles.private import Private


@pytest.fixture(autouse=True)
def theirs(monkeypatch):
    names = Private(frozenset({HOST}), frozenset({USER}), frozenset({HOME}))
    monkeypatch.setattr(packing, "this_machine", lambda: names)


@pytest.fixture
def accepted(tmp_path):
    """What `accept` did of a run; its file is `baselines.yaml` in a folder of its own."""
    run_id = accepted_run(tmp_path / "results", setting=SETTING)
    (tmp_path / "kept").mkdir()
    return accept(tmp_path / "results", run_id, tmp_path / "kept" / "baselines.yaml", "It is right.", "Ada", "teacher")
