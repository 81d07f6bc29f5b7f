"""One job: what its steps' ends mean, what is tried again, and what goes on after its process was killed."""

import signal
import subprocess
import sys
import time

import pytest
from support.killed_nights import naming
from support.nights import job, night, times

from harness.fleet.jobs.progress import read_outcome, read_progress
from harness.fleet.jobs.run import run_job
from zoo.errors import JobRunning


def ran(tmp_path, *words, **changes):
    one = job(tmp_path, "one", *words, **changes)
    folder, planned = night(tmp_path, one)
    return run_job(folder, planned, one), folder.job("one")


@pytest.mark.parametrize(
    ("word", "status", "tries", "code"),
    [
        ("ok", "done", 1, None),
        ("undecided", "done", 1, None),
        ("task-failed", "failed", 1, "x"),
        ("usage", "failed", 1, "unknown-model"),
        ("fault", "failed", 1, "internal-error"),
        ("environment", "infra_failed", 2, "hub-unreachable"),
        ("kill", "infra_failed", 2, "step-killed"),
        ("silent", "infra_failed", 2, "step-garbled"),
    ],
)
def test_the_end_of_a_step_says_what_becomes_of_its_job(tmp_path, word, status, tries, code):
    outcome, place = ran(tmp_path, word)
    assert (outcome.status, len(outcome.attempts), outcome.code) == (status, tries, code)
    assert times(place) == tries
    assert read_outcome(place) == outcome
    assert bool(outcome.runs) == (word in ("ok", "undecided", "task-failed"))


def test_what_the_surroundings_failed_once_is_done_by_the_second_attempt(tmp_path):
    outcome, place = ran(tmp_path, "first:environment")
    assert outcome.status == "done"
    assert [attempt.code for attempt in outcome.attempts] == ["hub-unreachable", None]
    assert {path.name for path in place.path.glob("attempt-*.log")} == {"attempt-1.log", "attempt-2.log"}


def test_a_result_that_is_not_verified_is_told(tmp_path):
    outcome, _ = ran(tmp_path, "undecided")
    assert [told.text for told in outcome.told] == ["nano_words is unverified: so it is told."]


def test_a_finished_job_is_not_run_again(tmp_path):
    outcome, place = ran(tmp_path, "ok")
    one = job(tmp_path, "one", "ok")
    folder, planned = night(tmp_path, one)
    assert run_job(folder, planned, one).status == "done"
    assert times(place) == 1
    assert outcome.runs != run_job(folder, planned, one).runs  # of two nights two runs


def test_what_the_surroundings_failed_is_tried_once_more_by_whoever_starts_the_job_again(tmp_path):
    one = job(tmp_path, "one", "environment")
    folder, planned = night(tmp_path, one)
    assert [len(run_job(folder, planned, one).attempts) for _ in range(2)] == [2, 3]
    failed = job(tmp_path, "two", "usage")
    folder, planned = night(tmp_path, failed)
    assert [len(run_job(folder, planned, failed).attempts) for _ in range(2)] == [1, 1]


def test_a_job_for_a_gpu_that_is_not_here_runs_no_step(tmp_path):
    outcome, place = ran(tmp_path, "ok", accelerator="h100-sxm")
    assert (outcome.status, outcome.code) == ("infra_failed", "wrong-accelerator")
    assert len(outcome.attempts) == 1  # here it would be refused again: it is tried elsewhere
    assert times(place) == 0


def test_a_record_of_another_gpu_counts_for_nothing(tmp_path, monkeypatch):
    from harness.fleet.devices import Device
    from harness.fleet.jobs import run

    told = Device("NVIDIA H100 80GB HBM3", "GPU-1")
    monkeypatch.setattr(run, "visible_devices", lambda: [told])
    outcome, _ = ran(tmp_path, "ok", "gpu:NVIDIA L4", accelerator="h100-sxm")
    assert (outcome.status, outcome.code, outcome.runs) == ("infra_failed", "wrong-accelerator", ())
    assert outcome.attempts[0].accelerator == told.name
    (tmp_path / "right").mkdir()
    right, _ = ran(tmp_path / "right", "ok", f"gpu:{told.name}", accelerator="h100-sxm")
    assert (right.status, right.attempts[0].gpu_uuid) == ("done", "GPU-1")


BLOCKS = [(role, block, ("ok",)) for block in (0, 1) for role in ("candidate", "canary", "canary", "candidate")]


def test_a_block_that_was_broken_off_begins_anew_and_a_whole_one_stays(tmp_path):
    steps = [*BLOCKS[:6], ("canary", 1, ("sleep",)), BLOCKS[7]]
    one = job(tmp_path, "one", steps=steps, kind="bench")
    folder, planned = night(tmp_path, one)
    process = begun(folder, planned, one, steps=7)
    kept = [run.run_id for step in read_progress(folder.job("one")).steps[:4] for run in step.runs]
    kill(process)
    whole = job(tmp_path, "one", steps=BLOCKS, kind="bench")
    outcome = run_job(folder, planned, whole)
    assert outcome.status == "done"
    assert [attempt.code for attempt in outcome.attempts] == ["job-lost", None]
    assert [(run.role, run.block) for run in outcome.runs] == [(role, block) for role, block, _ in BLOCKS]
    assert [run.run_id for run in outcome.runs[:4]] == kept
    assert times(folder.job("one")) == 7 + 4


def begun(folder, planned, one, steps=1):
    """`minizoo job` in a process of its own, whose last step sleeps."""
    words = [sys.executable, "-m", "minizoo", "job", one.id, "--night", str(folder.path)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while times(folder.job(one.id)) < steps:
        assert process.poll() is None
        time.sleep(0.05)
    return process


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_killed_job_takes_its_step_along_and_another_process_goes_on(tmp_path):
    one = job(tmp_path, "one", "first:sleep")
    folder, planned = night(tmp_path, one)
    process = begun(folder, planned, one)
    assert naming(str(folder.job("one").results))
    with pytest.raises(JobRunning, match=f"pid {process.pid} "):
        run_job(folder, planned, one, wait=0)
    kill(process)
    until = time.monotonic() + 20
    while naming(str(folder.job("one").results)):
        assert time.monotonic() < until
        time.sleep(0.05)
    outcome = run_job(folder, planned, one)
    assert outcome.status == "done"
    assert [attempt.code for attempt in outcome.attempts] == ["job-lost", None]
    assert f"pid {process.pid} " in outcome.attempts[0].text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_that_its_scheduler_stops_goes_on_another_time(tmp_path, number):
    one = job(tmp_path, "one", "first:sleep")
    folder, planned = night(tmp_path, one)
    process = begun(folder, planned, one)
    process.send_signal(number)
    assert process.wait(60) == 130
    place = folder.job("one")
    assert read_outcome(place) is None
    assert '"interrupted"' in place.outcome.read_text()
    outcome = run_job(folder, planned, one)
    assert outcome.status == "done"
    assert [attempt.code for attempt in outcome.attempts] == ["interrupted", None]


def test_a_job_stopped_from_outside_uses_up_no_retry(tmp_path):
    one = job(tmp_path, "one", "environment")
    folder, planned = night(tmp_path, one)
    sleeping = job(tmp_path, "one", "sleep")
    folder.night.write_text(planned.model_copy(update={"jobs": (sleeping,)}).model_dump_json())
    for _ in range(2):
        process = begun(folder, planned, one, steps=times(folder.job("one")) + 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    outcome = run_job(folder, planned, one)
    assert [attempt.code for attempt in outcome.attempts] == ["interrupted"] * 2 + ["hub-unreachable"] * 2


def test_a_step_that_runs_far_too_long_is_ended(tmp_path, monkeypatch):
    from harness.fleet.jobs import step

    monkeypatch.setattr(step, "SHORTEST_MINUTES", 0.01)
    outcome, place = ran(tmp_path, "sleep", minutes=0.001)
    assert outcome.status == "infra_failed"
    assert [attempt.code for attempt in outcome.attempts] == ["job-hung"] * 2
    assert naming(str(place.results)) == []
