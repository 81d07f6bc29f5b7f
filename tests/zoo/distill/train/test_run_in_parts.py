"""A run that is asked to end before its last step stays the same run."""

import os
import signal

import pytest
import torch
from safetensors.torch import load_file
from support.small_training import losses, run

from zoo.distill.train.watcher import Watcher


def test_parts_of_a_run_are_the_whole_run_bit_for_bit(tmp_path):
    whole = run(tmp_path / "whole")
    assert (whole.steps, whole.stopped) == (6, None)
    for until in (1, 4):
        part = run(tmp_path / "parts", until=until)
        assert (part.steps, part.stopped, part.last.name) == (until, None, f"step-{until:08d}")
        assert losses(tmp_path / "parts") == losses(tmp_path / "whole")[:until]
    last = run(tmp_path / "parts")
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    ours, theirs = (load_file(outcome.last / "model.safetensors") for outcome in (last, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("until", [6, 60])
def test_it_ends_at_its_last_step_at_the_latest(tmp_path, until):
    assert run(tmp_path, until=until).steps == 6


def test_a_signal_at_the_end_of_a_part_is_told(tmp_path):
    def told(metrics, _steps):
        if metrics.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    outcome = run(tmp_path, until=3, watcher=Watcher(step=told))
    assert (outcome.steps, outcome.stopped, outcome.last.name) == (3, "SIGTERM", "step-00000003")


def test_a_part_that_is_there_already_takes_no_step(tmp_path):
    run(tmp_path, until=4)
    again = run(tmp_path, until=4)
    assert (again.steps, len(losses(tmp_path))) == (4, 4)
