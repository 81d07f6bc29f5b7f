"""A distillation that was stopped goes on with the same command, to the same bytes."""

import json
import os
import signal

import pytest
from support.distilling import losses, short_run, write_text

from minizoo.display.distill.progress import DistillProgress


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("text") / "nano.jsonl")


@pytest.fixture
def stop_at(monkeypatch):
    """Let the step of that number of that training send this process a signal, or break off without a word."""
    told = DistillProgress.trained

    def arrange(name, step, action):
        def trained(self, training, metrics, steps):
            told(self, training, metrics, steps)
            if (training, metrics.step) == (name, step):
                monkeypatch.setattr(DistillProgress, "trained", told)
                action()

        monkeypatch.setattr(DistillProgress, "trained", trained)

    return arrange


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def break_off():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("words", "training", "action"),
    [
        (["--lora", 4], "training", terminate),
        (["--correct-teacher", "before"], "teacher correction", terminate),
        (["--correct-teacher", "beside", "--states", "5:5", "--save-every", 2], "training", break_off),
    ],
    ids=["lora", "correction-before", "killed-correction-beside"],
)
def test_a_stopped_run_goes_on_to_the_same_bytes(words, training, action, minizoo, text, tmp_path, stop_at):
    assert minizoo(*short_run(text, tmp_path / "whole"), *words).code == 0
    stop_at(training, 3, action)
    command = [*short_run(text, tmp_path / "out"), *words]
    stopped = minizoo(*command)
    assert stopped.code == 130
    assert not (tmp_path / "out").exists()
    if action is terminate:
        assert "Stopped after step 3" in stopped.out
    resumed = minizoo(*command)
    assert resumed.code == 0, resumed.err
    assert "Goes on after step" in resumed.err
    assert losses(tmp_path / "out") == losses(tmp_path / "whole")
    ours, theirs = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("out", "whole"))
    assert ours == theirs
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]


def test_another_run_does_not_go_on_with_what_is_there(minizoo, text, tmp_path, stop_at):
    stop_at("training", 3, terminate)
    command = short_run(text, tmp_path / "out")
    assert minizoo(*command).code == 130
    other = minizoo(*command, "--rate", "1e-3", "--json")
    assert (other.code, other.json()["code"]) == (2, "other-run")
    told = minizoo(*command, "--json")
    assert told.code == 0, told.err
    assert json.loads((tmp_path / "out" / "minizoo.json").read_text())["outcome"]["steps"] == 6
