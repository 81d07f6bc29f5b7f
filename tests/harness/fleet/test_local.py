"""Jobs on this machine: one a device, speed alone, and nothing is left when they are cancelled."""

import subprocess
import time

import pytest
from support.killed_nights import naming
from support.nights import job, night, times

from harness.fleet import local
from harness.fleet.devices import Device, kind_of, left_by
from harness.fleet.jobs.progress import read_outcome
from harness.fleet.local import LocalExecutor

L4, H100 = Device("NVIDIA L4", "GPU-aa"), Device("NVIDIA H100 80GB HBM3", "GPU-bb")


@pytest.fixture
def asleep(monkeypatch):
    """Every job is a process that sleeps; its environment is kept."""
    begun = []

    def started(words, _output, _errors, env):
        begun.append((words[4], env["CUDA_VISIBLE_DEVICES"]))
        return subprocess.Popen(["sleep", "0.2"], start_new_session=True)

    monkeypatch.setattr(local, "started", started)
    return begun


def all_ended(executor):
    ended = []
    while executor._running or executor._waiting:
        ended += executor.wait(5)
    return ended


def test_each_gpu_has_one_job_at_a_time_and_sees_itself_alone(tmp_path, asleep):
    jobs = [job(tmp_path, f"j{n}", "ok", accelerator=kind) for n, kind in enumerate(["l4", "h100-sxm", "l4"])]
    folder, _ = night(tmp_path, *jobs)
    executor = LocalExecutor([L4, H100])
    executor.start(folder, jobs)
    executor._begin()
    assert asleep == [("j0", "GPU-aa"), ("j1", "GPU-bb")]
    assert sorted(one.job for one in all_ended(executor)) == ["j0", "j1", "j2"]
    assert asleep[2] == ("j2", "GPU-aa")


def test_jobs_of_the_cpu_run_one_by_one_and_never_beside_a_speed_job(tmp_path, asleep):
    jobs = [
        job(tmp_path, "a", "ok"),
        job(tmp_path, "speed", "ok", kind="bench", accelerator="l4"),
        job(tmp_path, "b", "ok"),
    ]
    folder, _ = night(tmp_path, *jobs)
    executor = LocalExecutor([L4])
    executor.start(folder, jobs)
    for expected in ("a", "speed", "b"):
        executor._begin()
        assert [one.job.id for one in executor._running] == [expected]
        while executor._running:
            running, executor._waiting = executor._waiting, []
            executor.wait(5)
            executor._waiting = running
    assert [name for name, _ in asleep] == ["a", "speed", "b"]


def test_a_job_for_a_gpu_that_is_not_here_ends_at_once_with_the_reason(tmp_path, asleep):
    jobs = [job(tmp_path, "a", "ok", accelerator="b200")]
    folder, _ = night(tmp_path, *jobs)
    executor = LocalExecutor([L4])
    executor.start(folder, jobs)
    (ended,) = executor.wait(1)
    assert ended.lost == "It is for b200, and this machine has NVIDIA L4."
    assert asleep == []


def test_a_drained_executor_begins_nothing(tmp_path, asleep):
    jobs = [job(tmp_path, "a", "ok"), job(tmp_path, "b", "ok")]
    folder, _ = night(tmp_path, *jobs)
    executor = LocalExecutor([])
    executor.start(folder, jobs)
    executor._begin()
    assert executor.drain() == ["b"]
    assert [one.job for one in all_ended(executor)] == ["a"]


def test_a_cancelled_job_leaves_no_process_and_goes_on_another_time(tmp_path):
    one = job(tmp_path, "one", "first:sleep")
    folder, _ = night(tmp_path, one)
    executor = LocalExecutor([])
    executor.start(folder, [one])
    while times(folder.job("one")) == 0:
        executor.wait(0.1)
    executor.cancel()
    assert naming(str(folder.path)) == []
    assert read_outcome(folder.job("one")) is None
    executor.start(folder, [one])
    (ended,) = [*executor.wait(0), *executor.wait(300)]
    assert read_outcome(folder.job("one")).status == "done"
    assert ended.job == "one"


def test_a_job_that_printed_an_error_and_left_no_outcome_is_told_with_it(tmp_path):
    one = job(tmp_path, "one", "ok")
    folder, _ = night(tmp_path, one)
    folder.night.write_text("{")
    executor = LocalExecutor([])
    executor.start(folder, [one])
    until = time.monotonic() + 300
    ended = []
    while not ended:
        ended = executor.wait(5)
        assert time.monotonic() < until
    assert "exit code 2" in ended[0].lost
    assert "is no whole file of a night" in ended[0].lost


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        (None, [L4, H100]),
        ("", []),
        ("1", [H100]),
        ("1,0", [H100, L4]),
        ("GPU-bb", [H100]),
        ("0,7,1", [L4]),
        ("MIG-1", []),
    ],
)
def test_the_devices_that_cuda_visible_devices_leaves(chosen, left):
    assert left_by(chosen, [L4, H100]) == left


def test_a_gpu_is_known_by_its_whole_name_alone():
    assert kind_of("NVIDIA H100 80GB HBM3") == "h100-sxm"
    assert kind_of("H100") is None
