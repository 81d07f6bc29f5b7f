"""`minizoo distill` as torchrun starts it: a rank is killed, the same command goes on, and one process computes the same."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.distilling import losses, short_run, weights, write_text

pytestmark = pytest.mark.slow
STEPS = 16


@pytest.fixture
def torchrun():
    """Start a command of minizoo's in two processes; whatever still runs at the end is stopped."""
    started = []

    def start(*words):
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        command = [*launcher, "-m", "minizoo", *map(str, words)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, env=environment, start_new_session=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def rank_of(launcher, rank):
    """The process of that rank, among the launcher's children."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(process.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            variables = process.joinpath("environ").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if parent == launcher.pid and f"RANK={rank}".encode() in variables:
            return int(process.name)
    raise AssertionError(f"there is no rank {rank}")


def wait_for_steps(metrics, count, launcher):
    while not metrics.is_file() or metrics.read_text().count("\n") < count:
        assert launcher.poll() is None, launcher.communicate()[1][-3000:]
        time.sleep(0.02)


def test_a_killed_rank_is_told_of_and_the_same_command_goes_on_to_what_one_process_computes(
    minizoo, torchrun, tmp_path
):
    text, out, work = write_text(tmp_path / "nano.jsonl"), tmp_path / "out", tmp_path / ".out.distilling"
    size = {"tokens": STEPS * 4 * 64}
    command = [*short_run(text, out, **size), "--device", "cpu", "--save-every", 2]

    broken = torchrun(*command)
    wait_for_steps(work / "metrics.jsonl", 4, broken)
    os.kill(rank_of(broken, 1), signal.SIGKILL)
    _, told = broken.communicate(timeout=280)
    assert broken.returncode != 0
    assert "Another process of the run died or stopped answering" in told, told[-3000:]
    assert "The same command goes on from the last checkpoint" in told
    assert not out.exists()

    whole = torchrun(*command, "--json")
    printed, told = whole.communicate(timeout=280)
    assert whole.returncode == 0, told[-3000:]
    assert told.count("Goes on after step") == 1, "one process of two speaks"
    document = json.loads(printed)
    assert (document["finished"], document["outcome"]["processes"], document["outcome"]["steps"]) == (True, 2, STEPS)

    alone = minizoo(*short_run(text, tmp_path / "alone", **size))
    assert alone.code == 0, alone.err
    assert losses(out) == pytest.approx(losses(tmp_path / "alone"), rel=1e-4)
    assert weights(out) == weights(tmp_path / "alone")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "nano.jsonl", "out"]
