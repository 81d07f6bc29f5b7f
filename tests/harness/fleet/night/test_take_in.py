"""Runs of a job into the shared results: once, whole, whatever was killed in between; what is corrupt or lies is told."""

import shutil
import tempfile
from pathlib import Path

import pytest
from support.nights import job, night
from support.records import record, samples

from harness.fleet.night.take_in import take_in
from harness.records.files import read_record, run_folder, write_record
from harness.records.night import JobOutcome, StepRun
from zoo.errors import WrongAccelerator


def left(tmp_path, tasks=("one", "two"), gpu=None, **changes):
    """A job whose steps left a run of these tasks."""
    one = job(tmp_path, "one", "ok", **changes)
    folder, _ = night(tmp_path, one)
    place = folder.job("one")
    first = record(task=tasks[0])
    for task in tasks:
        made = first.model_copy(update={"task": task, "setting": first.setting.model_copy(update={"gpu": gpu})})
        write_record(place.results, made, samples())
    run = StepRun(role="candidate", block=0, run_id=first.run_id)
    return folder.results, place, one, JobOutcome(job="one", status="done", runs=(run,)), first.run_id


def test_a_run_is_moved_once_however_often_it_is_asked(tmp_path):
    results, place, one, outcome, run_id = left(tmp_path)
    for _ in range(3):
        assert take_in(results, place, one, outcome) == ()
    assert not run_folder(place.results, run_id).exists()
    assert sorted(path.name for path in run_folder(results, run_id).iterdir()) == ["one", "two"]
    assert read_record(run_folder(results, run_id) / "one" / "record.json").run_id == run_id


def test_only_the_runs_that_the_outcome_names_are_taken(tmp_path):
    results, place, one, outcome, run_id = left(tmp_path)
    stray = write_record(place.results, record(task="stray"), samples())
    take_in(results, place, one, outcome)
    assert stray.exists()
    assert [path.name for path in results.glob("runs/*/*")] == [run_id]


def test_a_corrupt_record_is_told_and_the_good_ones_beside_it_are_taken_in(tmp_path):
    results, place, one, outcome, run_id = left(tmp_path)
    (run_folder(place.results, run_id) / "one" / "record.json").write_text('{"run_id": "cut sho')
    for _ in range(2):  # told each time, for a night that goes on gathers again
        (told,) = take_in(results, place, one, outcome)
        assert (told.kind, told.about) == ("infra", "one")
        assert str(run_folder(results, run_id) / "one" / "record.json") in told.text
    assert read_record(run_folder(results, run_id) / "two" / "record.json").task == "two"


def test_a_run_that_is_nowhere_is_told(tmp_path):
    results, place, one, outcome, run_id = left(tmp_path)
    shutil.rmtree(run_folder(place.results, run_id))
    (told,) = take_in(results, place, one, outcome)
    assert (told.kind, run_id in told.text) == ("infra", True)


def test_records_of_another_gpu_than_asked_for_are_not_taken_in(tmp_path):
    results, place, one, outcome, run_id = left(tmp_path, gpu="NVIDIA L4", accelerator="h100-sxm")
    with pytest.raises(WrongAccelerator, match=r"h100-sxm.*NVIDIA L4"):
        take_in(results, place, one, outcome)
    assert not run_folder(results, run_id).exists()
    results, place, one, outcome, run_id = left(tmp_path, gpu="NVIDIA H100 80GB HBM3", accelerator="h100-sxm")
    assert take_in(results, place, one, outcome) == ()


def test_from_another_file_system_a_run_is_copied_whole_and_what_a_kill_left_of_that_is_cleared(tmp_path):
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is no file system of its own here")
    _, place, one, outcome, run_id = left(tmp_path)
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        results = Path(folder)
        target = run_folder(results, run_id)
        broken = target.with_name(f".{run_id}.1.part")
        (broken / "one").mkdir(parents=True)
        take_in(results, place, one, outcome)
        assert sorted(path.name for path in target.iterdir()) == ["one", "two"]
        assert [path.name for path in target.parent.iterdir()] == [run_id]
        assert not run_folder(place.results, run_id).exists()
