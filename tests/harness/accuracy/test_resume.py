"""Interrupted, killed, broken: what was finished is kept, and nothing is computed twice."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.paths import ROOT

from harness.accuracy.resume_log import open_resume_log
from harness.records.files import new_run_id

TASKS = "winogrande,hellaswag,arc_challenge"
ANSWERED = 60
"""Answers of the killed run: those of winogrande's 20 documents, and 20 of hellaswag's 80."""


def words(stories, data, results):
    argv = ["eval", stories, "--tasks", TASKS, "--limit", 20, "--overflow", "truncate", "--data", data]
    return [*map(str, [*argv, "--results", results, "--device", "cpu", "--json"])]


def numbers(outcome):
    return {
        r["task"]: [(s["metric"], s["value"], s["stderr"], s["n"]) for s in r["scores"]] for r in outcome["records"]
    }


def answers(results):
    return [line for path in results.glob("partial/*/answers.jsonl") for line in path.read_bytes().splitlines(True)]


@pytest.fixture(scope="module")
def uninterrupted(stories, data, tmp_path_factory):
    argv = words(stories, data, tmp_path_factory.mktemp("whole"))
    done = subprocess.run(
        [sys.executable, "-m", "minizoo", *argv], capture_output=True, text=True, check=False, env=environment()
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def killed_results(stories, data, tmp_path_factory):
    """The results folder of a run that was killed (-9) after ANSWERED answers, in the middle of its second task."""
    results = tmp_path_factory.mktemp("killed")
    marker = results / "paused"
    argv = [sys.executable, "-m", "support.paused_eval", str(ANSWERED), str(marker), *words(stories, data, results)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())
    try:
        while not marker.exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    return results


@pytest.fixture
def killed(killed_results, tmp_path):
    """A copy of one's own."""
    return Path(shutil.copytree(killed_results, tmp_path / "results"))


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "tests")}


def test_a_killed_run_leaves_its_answers_and_its_finished_task(killed):
    assert len(answers(killed)) == ANSWERED
    assert all(line.endswith(b"\n") for line in answers(killed))
    assert [path.parent.name for path in killed.glob("runs/*/*/*/record.json")] == ["winogrande"]


def test_killed_run_resumes_without_rescoring(minizoo, stories, data, killed, uninterrupted):
    resumed = minizoo(*words(stories, data, killed)).json()
    assert resumed["reused"] == ANSWERED
    assert resumed["computed"] == uninterrupted["computed"] - ANSWERED
    assert numbers(resumed) == numbers(uninterrupted)
    assert len({record["run_id"] for record in resumed["records"]}) == 1
    assert not answers(killed)


def test_line_cut_by_the_kill_is_scored_again(minizoo, stories, data, killed, uninterrupted):
    (path,) = killed.glob("partial/*/answers.jsonl")
    path.write_bytes(path.read_bytes()[:-7])
    resumed = minizoo(*words(stories, data, killed)).json()
    assert resumed["reused"] == ANSWERED - 1
    assert numbers(resumed) == numbers(uninterrupted)


def test_fresh_discards_what_a_killed_run_left(minizoo, stories, data, killed, uninterrupted):
    fresh = minizoo(*words(stories, data, killed), "--fresh").json()
    assert fresh["reused"] == 0
    assert fresh["computed"] == uninterrupted["computed"]


def test_a_run_under_another_name_takes_no_answers_of_the_dead_one(minizoo, stories, data, killed):
    named = minizoo(*words(stories, data, killed), "--name", "another").json()
    assert named["reused"] == 0
    assert {record["subject"]["name"] for record in named["records"]} == {"another"}


def test_finished_run_is_computed_again(minizoo, stories, data, tmp_path):
    argv = [*words(stories, data, tmp_path), "--limit", "3"]
    first, second = minizoo(*argv).json(), minizoo(*argv).json()
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
    assert (broken.code, broken.json()["code"]) == (4, "backend-broke")
    assert "the card fell off the bus" in broken.json()["what"]
    records = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/*/*/record.json")]
    assert {r["task"]: r["status"] for r in records} == {"winogrande": "ok", "gsm8k": "infra_failed"}
    assert {r["task"]: r["code"] for r in records} == {"winogrande": None, "gsm8k": "backend-broke"}
    mended = minizoo(*argv)
    assert mended.code == 0
    outcome = mended.json()
    assert {r["task"]: r["status"] for r in outcome["records"]} == {"winogrande": "ok", "gsm8k": "ok"}
    assert (outcome["reused"], outcome["computed"]) == (8, 4)


def test_memory_that_runs_out_is_recorded_by_its_cause(minizoo, stories, data, tmp_path, monkeypatch):
    from backends.contract import OutOfMemory
    from backends.hf.backend import HfBackend

    def full(self, requests):
        raise OutOfMemory("tried to allocate 20 GiB")
        yield

    monkeypatch.setattr(HfBackend, "score", full)
    argv = ["eval", stories, "--tasks", "winogrande", "--limit", 2, "--data", data, "--results", tmp_path]
    ran = minizoo(*argv, "--device", "cpu", "--json")
    assert (ran.code, ran.json()["code"]) == (4, "device-memory")
    (record,) = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/*/*/record.json")]
    assert (record["status"], record["code"]) == ("failed", "device-memory")


def test_a_tasks_own_error_fails_that_task_alone(minizoo, stories, data, tmp_path, monkeypatch):
    import harness.accuracy.run as accuracy

    scored = accuracy.score_task

    def broken(loaded, *rest):
        if loaded.name == "winogrande":
            raise KeyError("answer")
        return scored(loaded, *rest)

    monkeypatch.setattr(accuracy, "score_task", broken)
    argv = ["eval", stories, "--tasks", "winogrande,arc_challenge", "--limit", 2, "--data", data, "--results", tmp_path]
    ran = minizoo(*argv, "--overflow", "truncate", "--device", "cpu", "--json")
    assert ran.code == 4
    told = {record["task"]: (record["status"], record["code"]) for record in ran.json()["records"]}
    assert told == {"winogrande": ("failed", "task-failed"), "arc_challenge": ("ok", None)}


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
