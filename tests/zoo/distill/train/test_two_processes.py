"""Two processes that torchrun starts, with gloo on a CPU, against one: the same losses, half the bytes, one error for both."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from support.distilling import short_run, weights, write_text
from support.small_training import SETTINGS, losses, run, small_student, small_teacher
from support.two_processes import BF16, STATES, UNTIED, frozen_student

from zoo.distill.train.watcher import Watcher


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder of all runs of `support.two_processes`, what each rank saw, and the text of its commands."""
    out = tmp_path_factory.mktemp("two")
    text = write_text(tmp_path_factory.mktemp("text") / "nano.jsonl")
    run(out / "from one", watcher=Watcher(step=stop_after_three))
    given = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, "-m", "support.two_processes", out, text, *free_ports(2)],
        env=given,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    seen = [json.loads((out / f"rank-{rank}.json").read_text()) for rank in (0, 1)]
    assert "lost" in seen[0], done.stderr[-3000:]
    return out, seen, text


def free_ports(count):
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [str(one.getsockname()[1]) for one in sockets]


def stop_after_three(metrics, _steps):
    import signal

    if metrics.step == 3:
        os.kill(os.getpid(), signal.SIGTERM)


def test_under_torchrun_shards_are_the_default(two):
    assert [one["mode"] for one in two[1]] == ["fsdp", "fsdp"]


def test_parameters_are_dtensors_and_each_rank_holds_half_the_bytes(two):
    whole = sum(one.numel() * 4 for one in small_student().parameters())
    for seen in two[1]:
        assert seen["fsdp"]["kinds"] == ["DTensor"]
        assert seen["fsdp"]["bytes"] == pytest.approx(whole / 2, rel=0.01)


def test_the_teacher_is_sharded_too_but_for_its_head(two):
    teacher = small_teacher().model
    head = teacher.lm_head.weight.numel() * 4
    decoder = sum(one.numel() * 4 for one in teacher.parameters()) - head
    for seen in two[1]:
        assert seen["teacher"]["bytes"] == pytest.approx(head + decoder / 2, rel=0.01)


ALONE = {
    "fsdp": {},
    "ddp": {},
    "untied": {"student": lambda: small_student(**UNTIED)},
    "states": {"loss": STATES, "teacher": lambda: small_teacher((1, -1))},
    "bf16": {"settings": BF16},
    "frozen": {"settings": BF16, "student": frozen_student},
}


@pytest.mark.parametrize("name", ALONE)
def test_losses_equal_those_of_one_process(two, tmp_path, name):
    given = {key: value() if callable(value) else value for key, value in ALONE[name].items()}
    outcome = run(tmp_path, **given)
    # bf16: gradients of the same casts, summed in another order
    assert losses(two[0] / name) == pytest.approx(losses(tmp_path), rel=1e-3 if "settings" in given else 1e-4)
    theirs = load_file(two[0] / name / "checkpoints/step-00000006/model.safetensors")
    for key, mine in load_file(outcome.last / "model.safetensors").items():
        assert torch.allclose(theirs[key].float(), mine.float(), atol=0.03 if "settings" in given else 1e-3), key


def test_a_signal_to_one_rank_stops_both_and_one_process_goes_on(two, tmp_path):
    assert [one["going on"] for one in two[1]] == [{"stopped": "SIGTERM", "steps": 3}] * 2
    outcome = run(two[0] / "stopped")
    run(tmp_path)
    assert outcome.steps == 6
    assert losses(two[0] / "stopped") == pytest.approx(losses(tmp_path), rel=1e-4)


def test_two_ranks_go_on_with_what_one_process_wrote(two, tmp_path):
    run(tmp_path)
    assert losses(two[0] / "from one") == pytest.approx(losses(tmp_path), rel=1e-4)


def test_ranks_that_hold_the_same_write_it_once_and_go_on(two, tmp_path):
    run(tmp_path, replace(SETTINGS, schedule="constant"))
    assert losses(two[0] / "longer") == pytest.approx(losses(tmp_path), rel=1e-4)
    first, second = sorted((two[0] / "longer/checkpoints/step-00000006/training").glob("rank-*"))
    assert second.stat().st_size < first.stat().st_size / 10, "the second rank has its random numbers alone"


def test_an_error_of_the_first_rank_is_everybodys(two):
    assert [one["error"] for one in two[1]] == [{"code": "not-comparable", "what": "The task is not there."}] * 2


def test_the_command_writes_one_folder_and_one_process_of_two_speaks(two, minizoo, tmp_path):
    first, second = (seen["command"] for seen in two[1])
    assert (first["code"], second["code"], second["out"]) == (0, 0, ""), first["err"] + second["err"]
    outcome = json.loads(first["out"])["outcome"]
    assert (outcome["processes"], outcome["steps"]) == (2, 6)
    assert minizoo(*short_run(two[2], tmp_path / "alone")).code == 0
    assert losses(two[0] / "command") == pytest.approx(losses(tmp_path / "alone"), rel=1e-4)
    assert weights(two[0] / "command") == weights(tmp_path / "alone")


def test_a_dead_rank_is_told_of_and_the_same_command_goes_on(two, minizoo, tmp_path):
    lost = two[1][0]["lost"]
    assert lost["code"] == 4
    assert "Another process of the run died or stopped answering" in lost["err"], lost["err"]
    assert "The same command goes on from the last checkpoint" in lost["err"]
    assert not (two[0] / "lost").exists()
    ran = minizoo(*short_run(two[2], two[0] / "lost"), "--device", "cpu", "--save-every", 2)
    assert ran.code == 0, ran.err
    assert ran.err.count("Goes on after step 2") == 1
    assert losses(two[0] / "lost") == pytest.approx(losses(two[0] / "command"), rel=1e-4)
    assert not [path.name for path in two[0].iterdir() if path.name.startswith(".")]
