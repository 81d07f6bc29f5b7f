"""`minizoo prune` as a user meets it."""

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from support.tiny_checkpoints import load, tiny
from support.tolerances import assert_logprobs

from backends.contract import Options, ScoreRequest
from backends.hf.backend import open_hf
from backends.pruned.backend import load_pruned, open_pruned
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.locate import locate, open_folder
from zoo.errors import OtherParent, WrongBackend
from zoo.prune.parent import open_parent
from zoo.prune.plan import read_plan
from zoo.prune.recipes import EDGES, recipe
from zoo.prune.scores import load_scores, random_scores, save_scores
from zoo.prune.selection import plan_from_ranking
from zoo.prune.target import Target, child_shape
from zoo.prune.write.writer import write_child
from zoo.registry.loader import load_registry

FAMILY = {"relu2": "nemotron", "swiglu": "llama"}


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


@pytest.mark.parametrize("child", EDGES)
def test_every_published_edge_at_a_64th_of_its_widths_loads_and_has_the_registrys_count(child, tmp_path):
    edge, models = recipe(child), load_registry().models
    parent, wanted = (
        dims.model_copy(
            update={
                "hidden_size": dims.hidden_size
                // 32,  # at a 64th transformers refuses the Llama: 48 is no multiple of 32
                "ffn_hidden_size": dims.ffn_hidden_size // 64,
                "vocab_size": dims.vocab_size // 64,
                "head_dim": 4,
            }
        )
        for dims in (models[edge.parent].architecture, models[child].architecture)
    )
    family = "mistral" if "mistral" in child else FAMILY[parent.activation]
    changes = {} if family != "llama" else {"attention_bias": False, "mlp_bias": False}
    folder = tiny(
        family, tmp_path / "parent", torch.bfloat16, shard="1MB", vocab_size=parent.vocab_size,
        hidden_size=parent.hidden_size, intermediate_size=parent.ffn_hidden_size, num_hidden_layers=parent.num_layers,
        num_attention_heads=parent.num_attention_heads, num_key_value_heads=parent.num_kv_heads, head_dim=4, **changes,
    )  # fmt: skip
    opened = open_parent(folder)
    target = edge.target if edge.target.drop else Target(
        hidden=wanted.hidden_size, ffn=wanted.ffn_hidden_size, heads=wanted.num_attention_heads
    )  # fmt: skip
    shape = child_shape(opened.dims, target)
    plan = plan_from_ranking(opened.identity, shape, random_scores(opened.dims, 0).ranking(shape))
    write_child(plan, opened, tmp_path / "child", shard_bytes=400_000)
    assert load(tmp_path / "child").num_parameters() == count_parameters(wanted).total == plan.parameters


def test_pruning_by_calibration_text_makes_a_folder_that_eval_runs(minizoo, stories, text, data, tmp_path):
    out = tmp_path / "ffn128"
    ran = minizoo("prune", "--parent", stories, "--target", "ffn=128", "--calibration", text, "--out", out)
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
    again = minizoo(
        "prune", "--parent", stories, "--plan", tmp_path / "plan" / "plan.json", "--out", tmp_path / "again"
    )
    assert again.code == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("child", "again")]
    assert weights[0] == weights[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "child", "plan", "scores"]


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


def requests():
    return [
        ScoreRequest((1, 5, 9), (30, 77, 12), per_token=True),
        ScoreRequest((1,), (40,)),
        ScoreRequest(tuple(range(1, 40)), (3,)),
    ]


def logprobs(backend):
    return [score.logprob for score in sorted(backend.score(requests()), key=lambda score: score.index)]


@pytest.fixture
def unlike(minizoo, stories, tmp_path):
    """stories260k with layers of unlike widths; and the same as plan alone."""
    save_scores(tmp_path / "random", random_scores(open_parent(stories).dims, 0))
    words = ["prune", "--parent", stories, "--target", "hidden=56 ffn=172:128:100:128:8 heads=8:4:8:8:4"]
    assert minizoo(*words, "--scores", tmp_path / "random", "--out", tmp_path / "child").code == 0
    assert minizoo(*words, "--scores", tmp_path / "random", "--out", tmp_path / "plan", "--virtual").code == 0
    return tmp_path / "child"


def test_unlike_layers_score_as_the_parent_with_the_removed_units_silenced(unlike, stories, tmp_path):
    """Hidden stays whole here, so silencing heads and neurons is exact."""
    opened = open_parent(stories)
    target = Target(ffn=(172, 128, 100, 128, 8), heads=(8, 4, 8, 8, 4))
    shape = child_shape(opened.dims, target)
    plan = plan_from_ranking(opened.identity, shape, random_scores(opened.dims, 0).ranking(shape))
    write_child(plan, opened, tmp_path / "unlike")
    model = load(stories)
    for kept, layer in zip(plan.layers, model.model.layers, strict=True):
        neurons = set(range(172)) - set(kept.ffn or range(172))
        layer.mlp.down_proj.weight.data[:, sorted(neurons)] = 0
        for head in set(range(8)) - set(kept.heads or range(8)):
            layer.self_attn.o_proj.weight.data[:, head * 8 : head * 8 + 8] = 0
    found = logprobs(open_pruned(open_folder(tmp_path / "unlike"), Options(device="cpu")))
    for request, value in zip(requests(), found, strict=True):
        whole = torch.tensor([[*request.context, *request.continuation]])
        with torch.no_grad():
            logp = torch.log_softmax(model(whole).logits[0].double(), -1)[len(request.context) - 1 : -1]
        expected = float(logp.gather(1, torch.tensor(request.continuation)[:, None]).sum())
        assert_logprobs(value, expected, len(request.continuation))


def test_a_plan_without_weights_scores_as_its_written_child(unlike):
    written = logprobs(open_pruned(open_folder(unlike), Options(device="cpu")))
    virtual = logprobs(open_pruned(open_folder(unlike.parent / "plan"), Options(device="cpu")))
    assert written == virtual
    assert not list((unlike.parent / "plan").glob("*.safetensors"))


def test_a_like_layered_child_scores_the_same_in_hf_and_pruned(stories):
    checkpoint = locate(str(stories))
    hf, pruned = (logprobs(opened(checkpoint, Options(device="cpu"))) for opened in (open_hf, open_pruned))
    assert_logprobs(hf, pruned, [len(request.continuation) for request in requests()])


@pytest.mark.parametrize("which", ["child", "plan"])
def test_hf_refuses_what_only_pruned_runs(which, unlike):
    with pytest.raises(WrongBackend):
        open_hf(open_folder(unlike.parent / which), Options(device="cpu"))


def test_a_plan_whose_parent_changed_is_refused(minizoo, tmp_path):
    folder = tiny("llama", tmp_path / "parent")
    save_scores(tmp_path / "random", random_scores(open_parent(folder).dims, 0))
    words = ["--parent", folder, "--target", "ffn=40", "--scores", tmp_path / "random", "--virtual"]
    assert minizoo("prune", *words, "--out", tmp_path / "plan").code == 0
    before = open_folder(tmp_path / "plan").weights_digest()
    tiny("llama", tmp_path / "parent", seed=8)
    assert open_folder(tmp_path / "plan").weights_digest() != before
    (tmp_path / "parent" / "tokenizer.json").touch()
    with pytest.raises(OtherParent):
        load_pruned(open_folder(tmp_path / "plan"), "cpu", "auto")
