"""What goes wrong while pruning: one clear sentence, the right exit code, and nothing left behind."""

import shutil

import numpy as np
import pytest
import torch
from support.tiny_checkpoints import edit_config, load, tiny

import zoo.prune.write.writer as slicing
from zoo.prune.parent import open_parent
from zoo.prune.scores import random_scores, save_scores


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
    return minizoo("prune", "--parent", parent, "--scores", scores, "--out", out, *(more or ("--target", "ffn=40")))


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
    ("damage", "says"),
    [
        (cut_short, "is cut short"),
        (remove_shard, "lacks 1 of the"),
        (nan_weight, "model.layers.2.mlp.down_proj.weight in .* holds NaN or infinity"),
        (minus_infinity, "holds NaN or infinity"),
        (lambda p: edit_config(p, model_type="gpt2"), "is a 'gpt2'; minizoo prunes llama, mistral, nemotron"),
        (lambda p: edit_config(p, head_dim=4), "has shape .* calls for"),
        (lambda p: edit_config(p, num_hidden_layers=5), "lacks .* first model.layers.4"),
        (lambda p: edit_config(p, hidden_size=None), "no usable config.json"),
        (lambda p: edit_config(p, hidden_act="gelu"), "activation 'gelu'"),
    ],
)
def test_a_broken_parent_is_refused_and_leaves_nothing(damage, says, minizoo, parent, scores):
    damage(parent)
    ran = attempt(minizoo, parent, scores)
    assert ran.code == 2
    assert says.split(".*")[0].strip() in ran.err
    assert says.split(".*")[-1].strip() in ran.err
    assert "Traceback" not in ran.err
    assert left_behind(parent.parent) == []


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("ffn=99", "more than the parent's 56"),
        ("heads=5", "a group would be split"),
        ("layers=9", "more than the parent's 4"),
    ],
)
def test_an_impossible_target_is_refused_and_leaves_nothing(target, says, minizoo, parent, scores):
    ran = attempt(minizoo, parent, scores, "--target", target)
    assert ran.code == 2
    assert says in ran.err
    assert left_behind(parent.parent) == []


def test_a_plan_for_another_parent_is_refused(minizoo, parent, scores, tmp_path):
    attempt(minizoo, parent, scores)
    other = tiny("llama", tmp_path / "other", torch.bfloat16, seed=7)
    ran = minizoo("prune", "--parent", other, "--plan", tmp_path / "child" / "plan.json", "--out", tmp_path / "again")
    assert ran.code == 2
    assert "The plan is for another parent" in ran.err
    assert left_behind(tmp_path) == ["child"]


def test_scores_of_another_parent_are_refused(minizoo, parent, scores, tmp_path):
    wide = tiny("llama", tmp_path / "other", intermediate_size=60)
    ran = attempt(minizoo, wide, scores)
    assert (ran.code, left_behind(tmp_path)) == (2, [])
    assert "scores are of another parent" in ran.err


def test_too_little_disk_is_seen_before_anything_is_written(minizoo, parent, scores, monkeypatch):
    monkeypatch.setattr(slicing.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    ran = attempt(minizoo, parent, scores)
    assert ran.code == 4
    assert "but the disk of" in ran.err
    assert left_behind(parent.parent) == []


def test_a_full_disk_midway_leaves_nothing(minizoo, parent, scores, monkeypatch):
    def full(_handle, _content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(slicing, "_write_all", full)
    ran = attempt(minizoo, parent, scores)
    assert ran.code == 4
    assert "No space left on device" in ran.err
    assert left_behind(parent.parent) == []


def test_sixteen_bit_token_ids_are_refused_and_leave_nothing(minizoo, parent, scores, tmp_path):
    ids = tmp_path / "parent" / "ids.npy"
    np.save(ids, np.arange(90, dtype=np.uint16))
    ran = minizoo("prune", "--parent", parent, "--target", "ffn=40", "--calibration", ids, "--out", tmp_path / "child")
    assert ran.code == 2
    assert "uint16 token ids" in ran.err
    assert left_behind(tmp_path) == []


def test_an_existing_output_is_never_overwritten(minizoo, parent, scores, tmp_path):
    (tmp_path / "child").mkdir()
    (tmp_path / "child" / "precious").write_text("x")
    ran = attempt(minizoo, parent, scores)
    assert ran.code == 2
    assert (tmp_path / "child" / "precious").read_text() == "x"


@pytest.mark.parametrize(
    "words",
    [
        ["--target", "ffn=40", "--recipe", "minitron-4b"],
        [],
        ["--target", "ffn=40", "--plan", "x"],
        ["--target", "ffn=40", "--scores-only"],
        ["--recipe", "minitron-5b"],
        ["--recipe", "mistral-7b"],
        ["--recipe", "minitron-4b"],
    ],
)
def test_options_that_do_not_fit_together_are_refused(words, minizoo, parent, scores, tmp_path):
    ran = minizoo("prune", "--parent", parent, "--out", tmp_path / "child", *words)
    assert ran.code == 2
    assert "Traceback" not in ran.err
    assert left_behind(tmp_path) == []


def test_an_interrupted_run_leaves_nothing_that_loads_and_goes_on_by_shard(
    minizoo, parent, scores, monkeypatch, tmp_path
):
    options = ["--target", "ffn=40", "--shard-gb", "0.00002"]
    written, whole = [], slicing._write_shard

    def second_is_interrupted(shard, folder, told):
        if len(written) == 2:
            raise KeyboardInterrupt
        whole(shard, folder, told)
        written.append(shard.name)

    monkeypatch.setattr(slicing, "_write_shard", second_is_interrupted)
    assert attempt(minizoo, parent, scores, *options).code == 130
    assert left_behind(tmp_path) == [".child.partial"]
    assert not (tmp_path / ".child.partial" / "config.json").exists()
    finished = {p: p.stat().st_mtime_ns for p in (tmp_path / ".child.partial").glob("*.safetensors")}
    assert len(finished) == 2

    monkeypatch.setattr(slicing, "_write_shard", whole)
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
