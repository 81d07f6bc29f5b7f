"""Which checkpoints stay: the newest and the best by task; and what a run does where one cannot be written or used."""

import errno
import json
import os
import shutil
import signal
from collections import namedtuple
from dataclasses import replace

import pytest
import torch
from support.small_training import SETTINGS, losses, run, small_rows, small_student, small_teacher

from zoo.distill.train.saving import checkpoint, keeping
from zoo.distill.train.saving.weights import write_model
from zoo.distill.train.watcher import Measured, Watcher
from zoo.distill.train.world import World
from zoo.errors import DiskFull, LossNotFinite, NotWritable

Usage = namedtuple("Usage", "total used free")


def names(out):
    return sorted(path.name for path in (out / "checkpoints").iterdir())


def test_the_newest_stay_and_the_best_by_task(tmp_path):
    scores = {1: 0.1, 2: 0.9, 3: 0.2, 4: 0.9, 5: 0.3, 6: 0.4}
    measured = []

    def evaluate(folder):
        step = int(folder.name.removeprefix("step-"))
        measured.append(step)
        return Measured(scores[step], {"task": scores[step]})

    outcome = run(tmp_path, replace(SETTINGS, eval_every=1, keep=2), evaluate=evaluate)
    assert measured == [1, 2, 3, 4, 5, 6]
    assert names(tmp_path) == ["step-00000002", "step-00000005", "step-00000006"]
    assert outcome.best.name == "step-00000002", "of equals the earliest"
    assert outcome.last.name == "step-00000006"
    assert not (outcome.best / "training").exists(), "nobody goes on from there"
    assert (outcome.best / "model.safetensors").is_file()
    assert json.loads((tmp_path / "evaluations.json").read_text())["4"] == {"value": 0.9, "tasks": {"task": 0.9}}


def test_a_run_that_was_killed_while_it_measured_measures_that_checkpoint(tmp_path):
    def killed(_folder):
        raise KeyboardInterrupt

    settings = replace(SETTINGS, steps=4, eval_every=2)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, settings, evaluate=killed)
    folders = []
    outcome = run(tmp_path, settings, evaluate=lambda folder: folders.append(folder.name) or Measured(1.0))
    assert folders == ["step-00000002", "step-00000004"]
    assert sorted(outcome.evaluations) == [2, 4]


def test_a_signal_ends_a_measurement_at_once(tmp_path):
    def interrupted(_folder):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the signal was put off")

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, replace(SETTINGS, eval_every=2), evaluate=interrupted)
    assert names(tmp_path) == ["step-00000002"]


def test_between_evaluations_checkpoints_are_written_as_often_as_asked(tmp_path):
    saved = []
    run(
        tmp_path,
        replace(SETTINGS, save_every=2, keep=9),
        watcher=Watcher(saved=lambda folder: saved.append(folder.name)),
    )
    assert saved == ["step-00000002", "step-00000004", "step-00000006"] == names(tmp_path)


def test_what_a_killed_run_left_unfinished_goes(tmp_path):
    (tmp_path / "checkpoints/.step-00000003.partial/training").mkdir(parents=True)
    run(tmp_path)
    assert names(tmp_path) == ["step-00000006"]


def test_without_room_for_a_checkpoint_no_step_is_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping.shutil, "disk_usage", lambda _: Usage(9, 9, 10_000))
    with pytest.raises(DiskFull, match=r"takes [\d,]+ bytes, and the disk of .* has 10,000 free"):
        run(tmp_path)
    assert not (tmp_path / "metrics.jsonl").exists()


def test_room_that_goes_is_noticed_right_after_a_checkpoint(tmp_path, monkeypatch):
    free = iter([1 << 40, 10_000])
    monkeypatch.setattr(keeping.shutil, "disk_usage", lambda _: Usage(9, 9, next(free)))
    with pytest.raises(DiskFull, match=r"All steps so far are in .*step-00000002"):
        run(tmp_path, replace(SETTINGS, save_every=2))
    monkeypatch.undo()
    assert run(tmp_path).steps == 6


def test_a_disk_that_is_full_after_all_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    def full(*_given):
        raise OSError(errno.ENOSPC, "No space left on device")

    run(tmp_path, replace(SETTINGS, schedule="constant", steps=2))
    monkeypatch.setattr(checkpoint, "write_state", full)
    with pytest.raises(DiskFull, match="the checkpoint before it is whole"):
        run(tmp_path, replace(SETTINGS, schedule="constant"))
    assert names(tmp_path) == ["step-00000002"]


def test_the_estimate_of_a_checkpoint_is_its_size(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("zoo.distill.train.loop.check_room", lambda _home, needed, _saved: asked.append(needed))
    outcome = run(tmp_path)
    written = sum(path.stat().st_size for path in outcome.last.rglob("*.safetensors"))
    assert asked[0] == pytest.approx(written, rel=0.03)


def test_a_folder_that_cannot_be_written_is_told_before_a_step(tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(NotWritable, match="cannot be written to"):
        run(tmp_path)


def test_a_loss_that_is_no_number_stops_with_step_batch_and_the_checkpoint_of_all_steps_before(tmp_path):
    teacher = small_teacher()
    rows, said, asked = small_rows(), teacher.targets, []

    def poisoned(batch):
        asked.append(batch.digest)
        targets = said(batch)
        return replace(targets, hidden=targets.hidden * torch.nan) if len(asked) == 4 * 2 + 3 else targets

    teacher.targets = poisoned
    with pytest.raises(LossNotFinite, match="loss of step 3 ") as raised:
        run(tmp_path, teacher=teacher, rows=rows)
    assert f"digest {asked[-2][:16]}" in raised.value.what
    assert "step-00000002" in raised.value.hint
    assert len(losses(tmp_path)) == 2
    whole = tmp_path / "whole"
    run(whole)
    run(tmp_path, rows=rows)
    assert losses(tmp_path) == losses(whole), "nothing was lost, and the step is taken again"


def test_large_models_are_written_in_files_with_an_index(tmp_path):
    from transformers import AutoModelForCausalLM

    student = small_student()
    write_model(student, tmp_path, torch.bfloat16, World(torch.device("cpu")), most=40_000)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert all(
        torch.equal(one, mine.to(torch.bfloat16))
        for one, mine in zip(loaded.parameters(), student.parameters(), strict=True)
    )


def test_a_broken_off_removal_leaves_no_half_of_a_checkpoint(tmp_path, monkeypatch):
    home = tmp_path / "checkpoints"
    for step in (1, 2, 3):
        (home / f"step-{step:08d}/training").mkdir(parents=True)
    monkeypatch.setattr(shutil, "rmtree", lambda *_given, **_named: None)  # killed before anything is removed
    keeping.tidy(home, 1, None)
    assert [path.name for path in home.glob("step-*")] == ["step-00000003"]
    monkeypatch.undo()
    keeping.tidy(home, 1, None)
    assert names(tmp_path) == ["step-00000003"]
