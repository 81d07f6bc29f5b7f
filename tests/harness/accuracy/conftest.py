"""A checkpoint to break, and refusals held to their rules."""

import shutil

import pytest


@pytest.fixture
def copy(stories, tmp_path):
    """A checkpoint of one's own to break."""
    folder = tmp_path / "checkpoint"
    shutil.copytree(stories, folder)
    for path in [folder, *folder.iterdir()]:
        path.chmod(0o755)
    return folder


@pytest.fixture
def evaluate(minizoo, data, tmp_path):
    """Run `minizoo eval` and hold it to the rules for refusals."""

    def call(*args, cause=None, exit_code=2, says=(), records=0):
        results = tmp_path / "results"
        ran = minizoo("eval", "--data", data, "--device", "cpu", "--results", results, "--json", *args)
        assert ran.code == (exit_code if cause else 0), ran.err
        assert "Traceback" not in ran.err
        told = ran.json()
        if cause:
            assert (told["code"], told["exit_code"]) == (cause, exit_code), told
            assert ran.err.count("\n") == 1
            for words in says:
                assert words in f"{told['what']} {told['hint']}"
        assert len(list(results.glob("runs/*/*/*/record.json"))) == records
        assert not list(results.glob("runs/*/*/.*"))
        return told

    return call
