"""`minizoo eval` by workers: the records of one process, whatever becomes of a worker, and refusals in a paragraph."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from support.answering import AnsweringBackend
from support.paths import ROOT

from backends.contract import Score
from zoo.errors import RequestKills

TASKS = "nano_words,nano_sums"


def words(results, *more):
    return [
        "eval",
        "nano-teacher",
        "--tasks",
        TASKS,
        "--limit",
        8,
        "--device",
        "cpu",
        "--results",
        results,
        "--json",
        *more,
    ]


def measured(results):
    """What the records say was measured, and by what."""
    found = {}
    for path in sorted(results.glob("runs/*/*/*/record.json")):
        record = json.loads(path.read_text())
        scores = [(s["metric"], s["filter"], s["n"], s["value"]) for s in record["scores"]]
        setting = {name: record["setting"][name] for name in ("backend", "device", "dtype", "compute_dtype", "seed")}
        found[record["task"]] = (record["status"], scores, record["counts"], setting, record["task_digest"])
    return found


def test_two_workers_one_of_them_killed_give_the_records_of_one_process(minizoo, tmp_path):
    """Killed from outside, in the midst of the answers: nothing is lost, and it is told."""
    results = tmp_path / "results"
    argv = [sys.executable, "-m", "minizoo", *map(str, words(results, "--workers", 2))]
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    while not list(results.glob("partial/*/answers.jsonl")) and running.poll() is None:
        time.sleep(0.05)
    workers = serving_under(running.pid)
    assert len(workers) == 2, running.communicate()
    os.kill(workers[0], signal.SIGKILL)
    out, err = running.communicate()
    assert running.returncode == 0, err
    assert "asked again in a fresh worker" in err
    assert minizoo(*words(tmp_path / "alone")).code == 0
    assert measured(results) == measured(tmp_path / "alone")
    (run,) = {record["setting"]["versions"]["devices"] for record in json.loads(out)["records"]}
    assert run == "cpu, cpu"
    assert not any(map(is_running, workers))


def serving_under(parent):
    """Workers that the parent started."""
    argv = ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(parent)]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return [int(line.split()[0]) for line in listed if "serving.py" in line]


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_requests_that_kill_leave_a_failed_record_and_all_other_answers(minizoo, tmp_path, monkeypatch):
    killing = RequestKills("1 request of 16 ends the worker of hf, alone.", "All others are answered.")

    def score(index, _):
        if index == 3:
            raise killing
        return Score(index, -1.0 - index, False)

    monkeypatch.setattr("harness.accuracy.run.open_backend", lambda *_: AnsweringBackend(score))
    ran = minizoo("eval", "nano-teacher", "--tasks", "nano_words", "--limit", 4, "--results", tmp_path, "--json")
    assert (ran.code, ran.json()["code"], ran.json()["what"]) == (4, "request-kills", killing.what)
    (record,) = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/*/*/record.json")]
    assert (record["status"], record["code"], record["reason"]) == ("infra_failed", "request-kills", killing.what)
    (kept,) = tmp_path.glob("partial/*/answers.jsonl")
    assert len(kept.read_text().splitlines()) == 3


REFUSALS = {
    "both say where": ("several-devices", 2, ["--devices", "cuda:0,cuda:1"]),
    "cannot be started": ("interpreter-unfit", 4, ["--python", "/not/there/python"]),
    "lacks a package": ("engine-missing", 4, ["--python", "/usr/bin/python3"]),
}


@pytest.mark.parametrize("said", REFUSALS)
def test_what_cannot_be_is_refused_in_one_paragraph(minizoo, tmp_path, said):
    code, exit_code, more = REFUSALS[said]
    ran = minizoo(*words(tmp_path, *more))
    told = ran.json()
    assert (told["code"], ran.code) == (code, exit_code)
    assert said in told["what"]
    assert ran.err.count("\n") == 1
    assert not list(tmp_path.glob("runs/*"))


def test_a_list_without_a_device_and_a_broken_command_line_are_usage(minizoo, tmp_path):
    assert minizoo(*words(tmp_path, "--devices", ",")).code == 2
    assert minizoo(*words(tmp_path, "--worker-command", "'")).code == 2
    assert minizoo(*words(tmp_path, "--workers", 0)).code == 2
