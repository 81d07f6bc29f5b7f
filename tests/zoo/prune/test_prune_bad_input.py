"""What goes wrong while pruning: the error of its cause, and nothing left behind."""

import errno
import shutil

import numpy as np
import pytest
import torch
from support.tiny_checkpoints import edit_config, load, tiny

from zoo.prune.parent import open_parent
from zoo.prune.scores import random_scores, save_scores
from zoo.prune.write import writer


@pytest.fixture
def parent(tmp_path):
    return tiny("llama", tmp_path / "parent", torch.bfloat16, shard="40KB")


@pytest.fixture
def scores(parent, tmp_path):
    path = tmp_path / "random.safetensors"
    save_scores(path, random_scores(open_parent(parent).dims, 0))
    return path


def left_behind(folder):
    return sorted(path.name for path in folder.iterdir() if path.name not in ("parent", "random.safetensors", "other"))


def attempt(minizoo, parent, scores, *more):
    out = parent.parent / "child"
    words = ["--parent", parent, "--scores", scores, "--out", out, *(more or ("--target", "ffn=40"))]
    return minizoo("prune", *words, "--json")


def shard(parent, which=0):
    return sorted(parent.glob("*.safetensors"))[which]


def cut_short(parent):
    path = shard(parent)
    path.write_bytes(path.read_bytes()[:-10])


def remove_shard(parent):
    shard(parent, 1).unlink()


def nan_weight(parent):
    model = load(parent)
    model.model.layers[2].mlp.down_proj.weight.data[5, 7] = float("nan")
    model.to(torch.bfloat16).save_pretrained(parent, max_shard_size="40KB")


def minus_infinity(parent):
    model = load(parent)
    model.model.layers[2].self_attn.q_proj.weight.data[5, 7] = float("-inf")
    model.save_pretrained(parent, max_shard_size="40KB")


@pytest.mark.parametrize(
    ("damage", "code", "named"),
    [
        (cut_short, "weights-truncated", "model-00001"),
        (remove_shard, "weights-missing", "1 of the"),
        (nan_weight, "weights-not-finite", "model.layers.2.mlp.down_proj.weight"),
        (minus_infinity, "weights-not-finite", "model.layers.2.self_attn.q_proj.weight"),
        (lambda p: edit_config(p, model_type="gpt2"), "unsupported-architecture", "gpt2"),
        (lambda p: edit_config(p, head_dim=4), "weights-mismatch", "model.layers.0.self_attn.q_proj.weight"),
        (lambda p: edit_config(p, num_hidden_layers=5), "weights-missing", "model.layers.4"),
        (lambda p: edit_config(p, hidden_size=None), "invalid-config", "parent"),
        (lambda p: edit_config(p, hidden_act="gelu"), "invalid-config", "activation"),
    ],
)
def test_a_broken_parent_is_refused_and_leaves_nothing(damage, code, named, minizoo, parent, scores):
    damage(parent)
    ran = attempt(minizoo, parent, scores)
    assert (ran.code, ran.json()["code"]) == (2, code)
    assert named in ran.json()["what"]
    assert "Traceback" not in ran.err
    assert left_behind(parent.parent) == []


@pytest.mark.parametrize("target", ["ffn=99", "heads=5", "layers=9"])
def test_an_impossible_target_is_refused_and_leaves_nothing(target, minizoo, parent, scores):
    ran = attempt(minizoo, parent, scores, "--target", target)
    assert (ran.code, ran.json()["code"]) == (2, "invalid-target")
    assert left_behind(parent.parent) == []


def test_a_plan_for_another_parent_is_refused(minizoo, parent, scores, tmp_path):
    attempt(minizoo, parent, scores)
    other = tiny("llama", tmp_path / "other", torch.bfloat16, seed=7)
    words = ["--parent", other, "--plan", tmp_path / "child" / "plan.json", "--out", tmp_path / "again"]
    ran = minizoo("prune", *words, "--json")
    assert (ran.code, ran.json()["code"]) == (2, "other-parent")
    assert left_behind(tmp_path) == ["child"]


def test_scores_of_another_parent_are_refused(minizoo, parent, scores, tmp_path):
    wide = tiny("llama", tmp_path / "other", intermediate_size=60)
    ran = attempt(minizoo, wide, scores)
    assert (ran.code, ran.json()["code"]) == (2, "other-parent")
    assert left_behind(tmp_path) == []


def test_too_little_disk_is_seen_before_anything_is_written(minizoo, parent, scores, monkeypatch):
    monkeypatch.setattr(writer.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    ran = attempt(minizoo, parent, scores)
    assert (ran.code, ran.json()["code"]) == (4, "disk-full")
    assert left_behind(parent.parent) == []


def test_a_full_disk_midway_leaves_nothing(minizoo, parent, scores, monkeypatch):
    def full(_handle, _content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer, "_write_all", full)
    ran = attempt(minizoo, parent, scores)
    assert (ran.code, ran.json()["code"]) == (4, "disk-full")
    assert left_behind(parent.parent) == []


def test_sixteen_bit_token_ids_are_refused_and_leave_nothing(minizoo, parent, scores, tmp_path):
    ids = tmp_path / "parent" / "ids.npy"
    np.save(ids, np.arange(90, dtype=np.uint16))
    words = ["--parent", parent, "--target", "ffn=40", "--calibration", ids, "--out", tmp_path / "child"]
    ran = minizoo("prune", *words, "--json")
    assert (ran.code, ran.json()["code"]) == (2, "invalid-calibration")
    assert left_behind(tmp_path) == []


def test_an_existing_output_is_never_overwritten(minizoo, parent, scores, tmp_path):
    (tmp_path / "child").mkdir()
    (tmp_path / "child" / "precious").write_text("x")
    ran = attempt(minizoo, parent, scores)
    assert (ran.code, ran.json()["code"]) == (2, "output-exists")
    assert (tmp_path / "child" / "precious").read_text() == "x"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--target", "ffn=40", "--recipe", "minitron-4b"], "conflicting-options"),
        ([], "conflicting-options"),
        (["--target", "ffn=40"], "conflicting-options"),  # nothing to choose by
        (["--target", "ffn=40", "--plan", "x"], "conflicting-options"),
        (["--target", "ffn=40", "--scores-only"], "conflicting-options"),
        (["--target", "layers=3", "--depth-by", "task"], "conflicting-options"),
        (["--target", "ffn=40", "--scores", "x", "--calibration", "y"], "conflicting-options"),
        (["--plan", "no-such-plan.json"], "invalid-plan"),
        (["--target", "ffn=40", "--scores", "no-such-scores"], "invalid-scores"),
        (["--recipe", "minitron-5b"], "unknown-model"),
        (["--recipe", "mistral-7b"], "no-recipe"),
        (["--recipe", "minitron-4b"], "no-recipe"),  # of a parent of another shape
    ],
)
def test_options_that_do_not_fit_together_are_refused(words, code, minizoo, parent, tmp_path):
    ran = minizoo("prune", "--parent", parent, "--out", tmp_path / "child", *words, "--json")
    assert (ran.code, ran.json()["code"]) == (2, code)
    assert left_behind(tmp_path) == []


def test_an_interrupted_run_leaves_nothing_that_loads_and_goes_on_by_shard(
    minizoo, parent, scores, monkeypatch, tmp_path
):
    options = ["--target", "ffn=40", "--shard-gb", "0.00002"]
    written, whole = [], writer._write_shard

    def second_is_interrupted(shard, folder, progress):
        if len(written) == 2:
            raise KeyboardInterrupt
        whole(shard, folder, progress)
        written.append(shard.name)

    monkeypatch.setattr(writer, "_write_shard", second_is_interrupted)
    assert attempt(minizoo, parent, scores, *options).code == 130
    assert left_behind(tmp_path) == [".child.partial"]
    assert not (tmp_path / ".child.partial" / "config.json").exists()
    finished = {p: p.stat().st_mtime_ns for p in (tmp_path / ".child.partial").glob("*.safetensors")}
    assert len(finished) == 2

    monkeypatch.setattr(writer, "_write_shard", whole)
    assert attempt(minizoo, parent, scores, *options).code == 0
    for path, time in finished.items():
        assert (tmp_path / "child" / path.name).stat().st_mtime_ns == time
    assert left_behind(tmp_path) == ["child"]
    uninterrupted = minizoo(
        "prune", "--parent", parent, "--scores", scores, "--out", tmp_path / "other", *options
    )  # fmt: skip
    assert uninterrupted.code == 0
    for path in (tmp_path / "child").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "other" / path.relative_to(tmp_path / "child")).read_bytes()


def test_a_partial_folder_of_another_plan_is_not_taken_over(minizoo, parent, scores, tmp_path):
    partial = tmp_path / ".child.partial"
    partial.mkdir()
    (partial / "model.safetensors").write_bytes(b"rubbish")
    (partial / "made_for.json").write_text("another")
    assert attempt(minizoo, parent, scores).code == 0
    assert load(tmp_path / "child").config.intermediate_size == 40
