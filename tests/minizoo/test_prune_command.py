"""`minizoo prune` as a user meets it."""

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from zoo.prune.parent import open_parent
from zoo.prune.plan import read_plan
from zoo.prune.recipes import EDGES, recipe
from zoo.prune.scores import load_scores, random_scores, save_scores
from zoo.registry.loader import load_registry


@pytest.fixture
def text(data):
    return data / "text" / "tinystories_sample.txt"


def test_plan_only_needs_no_weights_and_prints_the_published_count(minizoo):
    words = ["--parent", "mistral-nemo-12b", "--recipe", "mistral-nemo-minitron-8b", "--plan-only"]
    shown = minizoo("prune", *words).out
    for figure in ("8,414,105,600", "16,828,211,200", "5120", "4096", "14336", "11520"):
        assert figure in shown
    told = minizoo("prune", *words, "--json").json()
    assert (told["schema"], told["parameters"], told["plan_digest"]) == ("minizoo.plan/1", 8_414_105_600, None)


@pytest.mark.parametrize("child", EDGES)
def test_every_published_edge_can_be_planned_at_full_size(child, minizoo):
    edge = recipe(child)
    told = minizoo("prune", "--parent", edge.parent, "--recipe", child, "--plan-only", "--json").json()
    assert told["parameters"] == load_registry().models[child].parameters


def test_pruning_by_calibration_text_makes_a_folder_that_eval_runs(minizoo, stories, text, data, tmp_path):
    out = tmp_path / "ffn128"
    ran = minizoo(
        "prune", "--parent", stories, "--target", "ffn=128", "--calibration", text, "--samples", 64, "--out", out
    )
    assert (ran.code, "217,792 of 260,032" in ran.out) == (0, True)
    note = json.loads((out / "minizoo.json").read_text())
    assert note["parent"]["digest"] == open_parent(stories).digest
    assert note["parameters"] == 217_792
    assert note["chosen"]["calibration"] == "tinystories_sample.txt"
    assert "ffn | 172 | 128" in (out / "README.md").read_text()
    ElementTree.parse(out / "importance" / "scores.svg")
    ran = minizoo(
        "eval", "--model", out, "--tasks", "nano_prose", "--limit", 3, "--data", data, "--results", tmp_path / "r", "--json"
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.json()["records"][0]["status"] == "ok"


def test_scores_measured_once_serve_later_cuts(minizoo, stories, text, tmp_path):
    ran = minizoo(
        "prune", "--parent", stories, "--scores-only", "--calibration", text, "--samples", 20, "--depth-by", "ppl", "--out",
        tmp_path / "scores", "--json",
    )  # fmt: skip
    assert ran.json()["axes"] == {"bi.1": [5], "ffn": [5, 172], "heads": [5, 8], "hidden": [5, 2, 64], "ppl.1": [5]}
    words = ["--parent", stories, "--scores", tmp_path / "scores", "--target", "hidden=48", "heads=4", "layers=4"]
    single = ["--depth-by", "ppl", "--depth-cut", "single"]
    planned = minizoo("prune", *words, *single, "--plan-only", "--out", tmp_path / "plan", "--json").json()
    cut = minizoo("prune", *words, *single, "--out", tmp_path / "child", "--json").json()
    assert planned["plan_digest"] == cut["plan_digest"]
    words[words.index("--scores") + 1] = tmp_path / "child"  # which holds those that it was cut by
    assert minizoo("prune", *words, *single, "--plan-only", "--json").json()["plan_digest"] == cut["plan_digest"]
    again = minizoo(
        "prune", "--parent", stories, "--plan", tmp_path / "plan" / "plan.json", "--out", tmp_path / "again"
    )
    assert again.code == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("child", "again")]
    assert weights[0] == weights[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "child", "plan", "scores"]


def test_a_virtual_child_of_unlike_layers_has_no_weights_and_names_the_backend_that_runs_it(minizoo, stories, tmp_path):
    save_scores(tmp_path / "random", random_scores(open_parent(stories).dims, 0))
    words = ["--parent", stories, "--target", "hidden=56 ffn=172:128:100:128:8 heads=8:4:8:8:4"]
    ran = minizoo("prune", *words, "--scores", tmp_path / "random", "--out", tmp_path / "plan", "--virtual")
    assert (ran.code, list((tmp_path / "plan").glob("*.safetensors"))) == (0, [])
    assert f"minizoo eval --model {tmp_path / 'plan'}\n" in ran.out
    assert read_plan(tmp_path / "plan" / "plan.json").shape.ffn == (172, 128, 100, 128, 8)
    assert json.loads((tmp_path / "plan" / "minizoo.json").read_text())["parent_folder"] == str(stories.resolve())


def test_layers_can_be_chosen_by_a_task_which_is_then_marked(minizoo, stories, text, tmp_path):
    words = ["--parent", stories, "--target", "layers=3", "--calibration", text, "--samples", 4, "--length", 64]
    task = ["--depth-by", "task", "--depth-task", "nano_endings", "--depth-limit", 4]
    assert minizoo("prune", *words, *task, "--out", tmp_path / "child").code == 0
    scores = load_scores(tmp_path / "child" / "importance" / "scores.safetensors")
    plan = read_plan(tmp_path / "child" / "plan.json")
    first = int(np.argmin(scores.arrays["task.2"]))
    assert scores.arrays["task.2"].shape == (4,)
    assert plan.shape.drop == (first, first + 1)
    assert plan.chosen.selection_tasks == ("nano_endings",)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["child"]
