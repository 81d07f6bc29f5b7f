"""A pruning run that is interrupted or killed, as a process of its own: nothing half is left, and the same command goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from support.paths import ROOT

TASK = ["--depth-by", "task", "--depth-task", "nano_endings", "--depth-limit", 2]
"""One block of four layers of five: the whole model and two candidates are scored."""


def command(stories, text, out, *how):
    rows = ["--target", "layers=1", "--calibration", text, "--samples", 4, "--length", 64, "--shard-gb", "0.0002"]
    return [str(word) for word in ("prune", stories, *rows, *how, "--out", out)]


@pytest.fixture(scope="module")
def text(data):
    return data / "text" / "tinystories_sample.txt"


def contents(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def stopped(step, done, how, words, folder):
    """Run until so much of the step is done, send the signal, and return the exit code and what stderr says."""
    marker = folder / "marker"
    line = [sys.executable, "-m", "support.stopped_prune", step, str(done), str(marker), *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)])}
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not marker.exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(how)
        _, err = process.communicate(timeout=60)
    assert marker.exists(), err
    marker.unlink()
    return process.returncode, err


STAGES = [
    ("rows through layers", 12, signal.SIGKILL, [], ".child.scoring/importance/progress.safetensors"),
    ("models scored by the task", 2, signal.SIGINT, TASK, ".child.scoring/task"),
    ("bytes of the child", 220_000, signal.SIGINT, [], ".child.partial/made_for.json"),
]


@pytest.mark.parametrize(("step", "done", "how", "words", "kept"), STAGES, ids=["importance", "task", "writing"])
def test_a_run_that_is_stopped_leaves_no_child_and_goes_on_to_the_same_one(
    step, done, how, words, kept, stories, text, minizoo, tmp_path
):
    words = command(stories, text, tmp_path / "child", *words)
    code, err = stopped(step, done, how, words, tmp_path)
    assert (code, "Traceback" in err) == (130 if how == signal.SIGINT else -signal.SIGKILL, False)
    assert (tmp_path / kept).exists()
    assert not (tmp_path / "child").exists()
    scored = [len(json.loads(path.read_text())) for path in (tmp_path / ".child.scoring").rglob("scores-*.json")]
    assert scored == ([2] if TASK[0] in words else [])
    assert minizoo(*words).code == 0
    found = contents(tmp_path / "child")
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".lock"} == {"child"}
    shutil.rmtree(tmp_path / "child")
    assert minizoo(*words).code == 0
    assert found == contents(tmp_path / "child")
