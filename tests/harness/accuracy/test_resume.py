"""Interrupted, killed, broken: what was finished is kept, and nothing is computed twice."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from harness.accuracy.resume_log import open_resume_log
from harness.records.files import new_run_id

TASKS = "winogrande,hellaswag,arc_challenge"


def command(stories, data, results, *more):
    argv = ["eval", "--model", stories, "--tasks", TASKS, "--limit", 60, "--overflow", "truncate", "--data", data]
    return [
        sys.executable,
        "-m",
        "minizoo",
        *map(str, [*argv, "--results", results, "--device", "cpu", "--json", *more]),
    ]


def run(argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False, env=environment())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def numbers(outcome):
    return {
        r["task"]: [(s["metric"], s["value"], s["stderr"], s["n"]) for s in r["scores"]] for r in outcome["records"]
    }


def answers(results):
    return [line for path in results.glob("partial/*/answers.jsonl") for line in path.read_bytes().splitlines(True)]


def kill_in_the_middle(argv, results):
    """Start, wait until a first task is recorded and a second has answers, kill -9; return the whole lines left."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    try:
        for _ in range(6000):
            if list(results.glob("runs/*/*/*/record.json")) and len(answers(results)) > 130:
                break
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return [line for line in answers(results) if line.endswith(b"\n")]


@pytest.fixture(scope="module")
def uninterrupted(stories, data, tmp_path_factory):
    return run(command(stories, data, tmp_path_factory.mktemp("whole")))


def test_killed_run_resumes_without_rescoring(stories, data, tmp_path, uninterrupted):
    argv = command(stories, data, tmp_path)
    left = kill_in_the_middle(argv, tmp_path)
    resumed = run(argv)
    assert resumed["reused"] == len(left) > 130
    assert resumed["computed"] == uninterrupted["computed"] - len(left)
    assert numbers(resumed) == numbers(uninterrupted)
    assert len({record["run_id"] for record in resumed["records"]}) == 1
    assert not answers(tmp_path)


def test_line_cut_by_the_kill_is_scored_again(stories, data, tmp_path, uninterrupted):
    argv = command(stories, data, tmp_path)
    left = kill_in_the_middle(argv, tmp_path)
    (path,) = tmp_path.glob("partial/*/answers.jsonl")
    path.write_bytes(b"".join(left)[:-7])
    resumed = run(argv)
    assert resumed["reused"] == len(left) - 1
    assert numbers(resumed) == numbers(uninterrupted)


def test_fresh_discards_what_a_killed_run_left(stories, data, tmp_path, uninterrupted):
    argv = command(stories, data, tmp_path)
    kill_in_the_middle(argv, tmp_path)
    fresh = run([*argv, "--fresh"])
    assert fresh["reused"] == 0
    assert fresh["computed"] == uninterrupted["computed"]


def test_finished_run_is_computed_again(stories, data, tmp_path):
    argv = command(stories, data, tmp_path, "--limit", 3)
    first, second = run(argv), run(argv)
    assert second["reused"] == 0
    assert second["computed"] == first["computed"]
    assert second["run_id"] != first["run_id"]


def test_run_of_a_living_process_is_not_taken_over(tmp_path):
    first = open_resume_log(tmp_path, "key", "run-1")
    first.append("task/0/0/0", {"logprob": -1.5, "greedy": False})
    second = open_resume_log(tmp_path, "key", "run-2")
    assert (second.run_id, second.answers) == ("run-2", {})
    first.release()
    third = open_resume_log(tmp_path, "key", "run-3")
    assert (third.run_id, third.answers) == ("run-1", {"task/0/0/0": {"logprob": -1.5, "greedy": False}})


def test_other_settings_never_share_answers(tmp_path):
    first = open_resume_log(tmp_path, "key", "run-1")
    first.append("task/0/0/0", {"logprob": -1.5, "greedy": False})
    first.release()
    assert open_resume_log(tmp_path, "other", "run-2").answers == {}


def test_finished_run_leaves_nothing_behind(tmp_path):
    open_resume_log(tmp_path, "key", "run-1").discard()
    assert list((tmp_path / "partial").iterdir()) == []


def test_run_ids_are_in_order_of_time():
    made = []
    for _ in range(5):
        made.append(new_run_id())
        time.sleep(0.002)
    assert made == sorted(made)
    assert all(len(run_id) == 36 and run_id[14] == "7" for run_id in made)


def test_broken_backend_is_recorded_and_its_answers_are_kept(minizoo, stories, data, tmp_path, monkeypatch):
    from backends.hf.backend import HfBackend

    argv = ["eval", "--model", stories, "--tasks", "winogrande,gsm8k", "--limit", 4, "--overflow", "truncate"]
    argv += ["--data", data, "--results", tmp_path, "--device", "cpu", "--json"]

    def breaks(self, requests):
        raise RuntimeError("the card fell off the bus")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(HfBackend, "generate", breaks)
        broken = minizoo(*argv)
    assert broken.code == 4
    assert "the card fell off the bus" in broken.err
    records = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/*/*/record.json")]
    assert {r["task"]: r["status"] for r in records} == {"winogrande": "ok", "gsm8k": "infra_failed"}
    mended = minizoo(*argv)
    assert mended.code == 0
    outcome = mended.json()
    assert {r["task"]: r["status"] for r in outcome["records"]} == {"winogrande": "ok", "gsm8k": "ok"}
    assert (outcome["reused"], outcome["computed"]) == (8, 4)


def test_interrupt_keeps_answers_and_records_nothing(minizoo, stories, data, tmp_path, monkeypatch):
    from backends.hf.backend import HfBackend

    whole = HfBackend.score

    def stopped(self, requests):
        for count, score in enumerate(whole(self, requests)):
            if count == 5:
                raise KeyboardInterrupt
            yield score

    argv = ["eval", "--model", stories, "--tasks", "winogrande", "--limit", 6, "--data", data, "--results", tmp_path]
    with monkeypatch.context() as patch:
        patch.setattr(HfBackend, "score", stopped)
        stopped_run = minizoo(*argv, "--device", "cpu", "--json")
    assert stopped_run.code == 130
    assert not list(tmp_path.glob("runs/*/*/*/record.json"))
    assert minizoo(*argv, "--device", "cpu", "--json").json()["reused"] == 5
