"""What the distillation benchmark calls equal, and how it counts memory; nothing here is timed."""

import json

import numpy as np
import pytest
import torch
from support.paths import ROOT

from benchmarks.distillation import step_rows
from benchmarks.distillation.losses import LossJob, apart
from benchmarks.distillation.memory import Stretch
from benchmarks.distillation.page import lines
from benchmarks.distillation.trl_steps import _collate

SMALL = {"tokens": 32, "vocabulary": 300, "student_width": 8, "teacher_width": 16, "device": "cpu", "dtype": "float32"}
MIB = 1 << 20


def test_dense_and_chunked_loss_and_gradients_are_compared_and_equal(tmp_path):
    told = {}
    for form in ("dense", "chunked"):
        (tmp_path / form).mkdir()
        told[form] = LossJob({**SMALL, "form": form}).turn({"gradients": str(tmp_path / form)})
    assert told["chunked"]["loss"] == pytest.approx(told["dense"]["loss"], rel=1e-5)
    for part in ("hidden", "weight"):
        assert apart(tmp_path / f"dense/{part}.npy", tmp_path / f"chunked/{part}.npy") < 1e-5


def test_arrays_that_differ_lie_apart_by_their_relative_distance(tmp_path):
    np.save(tmp_path / "a.npy", np.full((100, 3), 2.0))
    np.save(tmp_path / "b.npy", np.full((100, 3), 2.002))
    assert apart(tmp_path / "a.npy", tmp_path / "b.npy") == pytest.approx(1e-3)


def test_memory_that_was_given_back_counts_in_the_peak():
    with Stretch() as stretch:
        torch.ones(96 * MIB // 4).sum()  # more than what an allocator keeps of freed memory
    assert stretch.bytes >= 90 * MIB


def test_a_step_that_lost_something_else_than_the_other_trainer_is_not_kept():
    ours = [step(2.0, 1.0), step(1.9, 1.0)]
    assert step_rows._beside_trl(ours, {"steps": [step(2.0, 1.0), step(1.90001, 1.0)]})["kept"]
    assert not step_rows._beside_trl(ours, {"steps": [step(2.0001, 1.0), step(1.9, 1.0)]})["kept"]
    assert not step_rows._beside_trl(ours, {"steps": [step(2.0, 1.0), step(1.9, 1.001)]})["kept"]


def step(loss, norm):
    return {
        "loss": loss,
        "grad_norm": norm,
        "seconds": 1.0,
        "cpu_seconds": 1.0,
        "bytes": MIB,
        "bytes_of_process": 3 * MIB,
    }


def test_the_other_trainer_counts_the_same_tokens():
    batch = _collate([{"input_ids": [5, 6, 7]}, {"input_ids": [8, 9, 10]}])
    assert (batch["labels"] != -100).sum() == 4
    assert batch["labels"][:, 1:].tolist() == [[6, 7], [9, 10]]


def test_committed_figures_are_kept_and_can_be_read():
    document = json.loads((ROOT / "benchmarks/distill.json").read_text("utf-8"))
    assert set(document) == {"loss", "cache", "step"}
    shown = "\n".join(lines(document))
    assert "NOT EQUAL" not in shown
    assert {row["vocabulary"] for row in document["loss"]} == {32_000, 131_072, 262_144}
