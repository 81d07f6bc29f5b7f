"""Qwen2 and Qwen3: biases cut with their rows, norms of heads kept, windows that stay with their layers, relatives refused."""

import json

import pytest
import torch
from safetensors.torch import load_file
from support.tiny_checkpoints import SHAPE, TERMS, TOKENS, edit_config, load, tiny
from support.tolerances import assert_fp32, assert_logprobs
from transformers import AutoConfig, AutoModelForCausalLM

from backends.contract import Options, ScoreRequest
from backends.pruned.backend import load_pruned, open_pruned
from zoo.arch.hf_config import dims_of
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.locate import open_folder
from zoo.errors import InvalidConfig, InvalidOption, InvalidTarget, UnsupportedArchitecture
from zoo.prune.importance.streamed import StreamedModel
from zoo.prune.parent import open_parent
from zoo.prune.plan import ParentIdentity, read_plan, write_plan
from zoo.prune.scores import random_scores
from zoo.prune.selection import plan_from_ranking
from zoo.prune.target import Target, child_shape
from zoo.prune.write.writer import write_child, write_virtual

QWEN = ["qwen2", "qwen3"]
SLIDES = {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 2}


def plan_of(parent, target, **options):
    shape = child_shape(parent.dims, target)
    return plan_from_ranking(parent.identity, shape, random_scores(parent.dims, 0).ranking(shape), **options)


def cut(folder, out, target):
    parent = open_parent(folder)
    plan = plan_of(parent, target)
    write_child(plan, parent, out)
    return plan


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("qwen2", {}),
        ("qwen2", {"tie_word_embeddings": True, "attention_bias": True}),  # transformers' Qwen2 heeds no such key
        ("qwen3", {}),
        ("qwen3", {"tie_word_embeddings": True, "attention_bias": True}),
    ],
)
def test_parameters_by_closed_form_are_those_of_transformers(kind, changes, tmp_path):
    config = AutoConfig.for_model(kind, **{**SHAPE, **changes})
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert count_parameters(dims_of(config.to_dict(), tmp_path)).total == model.num_parameters()


@pytest.mark.parametrize("family", QWEN)
def test_a_child_is_the_parent_cut_by_hand(family, tiny_parent, tmp_path):
    plan = cut(tiny_parent(family), tmp_path / "child", Target(hidden=36, ffn=40, heads=4, layers=3))
    whole, child = load_file(tiny_parent(family) / "model.safetensors"), load(tmp_path / "child")
    hidden = list(plan.hidden)
    expected = {"model.embed_tokens.weight": whole["model.embed_tokens.weight"][:, hidden],
                "model.norm.weight": whole["model.norm.weight"][hidden]}  # fmt: skip
    expected["lm_head.weight"] = whole.get("lm_head.weight", whole["model.embed_tokens.weight"])[:, hidden]
    for at, kept in enumerate(plan.layers):
        neurons, heads = list(kept.ffn), [12 * head + i for head in kept.heads for i in range(12)]
        rows = {"q_proj": heads, "k_proj": slice(None), "v_proj": slice(None)}
        ours, theirs = f"model.layers.{at}.", f"model.layers.{kept.parent}."
        for name, index in rows.items():
            expected[f"{ours}self_attn.{name}.weight"] = whole[f"{theirs}self_attn.{name}.weight"][index][:, hidden]
            if family == "qwen2":
                expected[f"{ours}self_attn.{name}.bias"] = whole[f"{theirs}self_attn.{name}.bias"][index]
        for name in ("q_norm", "k_norm") if family == "qwen3" else ():
            expected[f"{ours}self_attn.{name}.weight"] = whole[f"{theirs}self_attn.{name}.weight"]
        expected[f"{ours}self_attn.o_proj.weight"] = whole[f"{theirs}self_attn.o_proj.weight"][hidden][:, heads]
        for name in ("gate_proj", "up_proj"):
            expected[f"{ours}mlp.{name}.weight"] = whole[f"{theirs}mlp.{name}.weight"][neurons][:, hidden]
        expected[f"{ours}mlp.down_proj.weight"] = whole[f"{theirs}mlp.down_proj.weight"][hidden][:, neurons]
        for name in ("input_layernorm", "post_attention_layernorm"):
            expected[f"{ours}{name}.weight"] = whole[f"{theirs}{name}.weight"][hidden]
    found = child.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], values) for name, values in expected.items())
    assert plan.parameters == child.num_parameters()
    assert child.config.head_dim == 12


@pytest.mark.parametrize("family", QWEN)
def test_layers_of_unlike_widths_score_as_the_parent_with_the_removed_units_silenced(family, tiny_parent, tmp_path):
    parent = open_parent(tiny_parent(family))
    plan = plan_of(parent, Target(ffn=(56, 40, 24, 8), heads=(6, 4, 2, 4)))
    write_child(plan, parent, tmp_path / "child")
    write_virtual(plan, parent, tmp_path / "plan")
    model = load(tiny_parent(family))
    for kept, layer in zip(plan.layers, model.model.layers, strict=True):
        layer.mlp.down_proj.weight.data[:, sorted(set(range(56)) - set(kept.ffn or range(56)))] = 0
        for head in set(range(6)) - set(kept.heads or range(6)):
            layer.self_attn.o_proj.weight.data[:, head * 12 : head * 12 + 12] = 0
    with torch.no_grad():
        expected = model(TOKENS, use_cache=False).logits
        found = load_pruned(open_folder(tmp_path / "plan"), "cpu", "float32")(TOKENS, use_cache=False).logits
    assert_fp32(found, expected, TERMS)
    asked = [ScoreRequest(tuple(ids[:9]), tuple(ids[9:])) for ids in TOKENS.tolist()]
    written, virtual = (open_pruned(open_folder(tmp_path / name), Options(device="cpu")) for name in ("child", "plan"))
    assert written.shares_prefixes
    scores = [[score.logprob for score in backend.score(asked)] for backend in (written, virtual)]
    assert scores[0] == scores[1]
    logp = torch.log_softmax(expected.double(), -1)[:, 8:-1].gather(2, TOKENS[:, 9:, None]).sum((1, 2))
    assert_logprobs(scores[0], logp.tolist(), 14)


@pytest.mark.parametrize("family", QWEN)
def test_a_plan_keeps_what_it_knows_of_biases_and_norms(family, tiny_parent, tmp_path):
    parent = open_parent(tiny_parent(family))
    plan = plan_of(parent, Target(ffn=40))
    read = read_plan(write_plan(plan, tmp_path))
    assert read == plan
    assert (read.parent.dims.qkv_bias, read.parent.dims.qk_norm) == (family == "qwen2", family == "qwen3")


def test_a_plan_from_before_biases_were_read_still_cuts_its_parent(tiny_parent, tmp_path):
    """Its dimensions, and so its parameters, are without them."""
    parent = open_parent(tiny_parent("llama"))
    known = parent.dims.model_copy(update={"qkv_bias": False, "o_bias": False, "mlp_bias": False})
    shape = child_shape(known, Target(ffn=40))
    old = ParentIdentity(name=parent.name, digest=parent.digest, dims=known)
    plan = plan_from_ranking(old, shape, random_scores(known, 0).ranking(shape))
    assert "bias" not in plan.text().replace("qkv_bias", "")
    write_child(plan, parent, tmp_path / "child")
    assert load(tmp_path / "child").num_parameters() > plan.parameters


@pytest.mark.parametrize("family", QWEN)
def test_each_layer_that_stays_attends_as_it_did(family, tmp_path):
    """By max_window_layers the child's second layer, the parent's fourth, would see everything."""
    folder = tiny(family, tmp_path / "parent", **SLIDES)
    edit_config(folder, layer_types=None)
    cut(folder, tmp_path / "child", Target(drop=(0, 2)))
    parent, child = load(folder), load(tmp_path / "child")
    assert child.config.layer_types == ["full_attention", "sliding_attention"]
    assert json.loads((tmp_path / "child" / "config.json").read_text())["max_window_layers"] == 1
    parent.model.layers = torch.nn.ModuleList([parent.model.layers[1], parent.model.layers[3]])
    parent.config.num_hidden_layers = 2
    parent.config.layer_types = ["full_attention", "sliding_attention"]
    with torch.no_grad():
        windowed = child(TOKENS, use_cache=False).logits
        assert_fp32(windowed, parent(TOKENS, use_cache=False).logits, TERMS)
        child.config.sliding_window = 64
        assert (child(TOKENS, use_cache=False).logits - windowed).abs().max() > 0.01


@pytest.mark.parametrize(
    "changes", [{"use_sliding_window": False}, {"sliding_window": None}, {"layer_types": ["sliding_attention"]},
                {"layer_types": ["chunked_attention"] * 4}]
)  # fmt: skip
def test_a_window_that_contradicts_itself_is_refused(changes, tmp_path):
    folder = tiny("qwen2", tmp_path / "parent", **SLIDES)
    edit_config(folder, **changes)
    for opened in (open_parent, open_folder):
        with pytest.raises(InvalidConfig):
            opened(folder)


def test_importance_is_not_measured_on_rows_longer_than_the_window(tmp_path):
    model = StreamedModel(open_parent(tiny("qwen3", tmp_path / "slides", **SLIDES)))
    model.check_length(5)
    with pytest.raises(InvalidOption):
        model.check_length(6)
    whole = {**SLIDES, "use_sliding_window": False}
    StreamedModel(open_parent(tiny("qwen3", tmp_path / "whole", **whole))).check_length(6)


def test_the_head_residual_is_refused_where_queries_are_normed(tiny_parent):
    with pytest.raises(InvalidTarget):
        plan_of(open_parent(tiny_parent("qwen3")), Target(heads=4), head_residual=True)


@pytest.mark.parametrize(("kind", "what"), [
    ("qwen3_moe", "mixture of experts"), ("qwen2_moe", "mixture of experts"), ("qwen2_vl", "images"), ("qwen3_vl", "images"),
])  # fmt: skip
def test_relatives_are_refused_by_name(kind, what, tiny_parent, tmp_path):
    config = {**json.loads((tiny_parent("qwen3") / "config.json").read_text()), "model_type": kind}
    with pytest.raises(UnsupportedArchitecture, match=what) as refused:
        dims_of(config, tmp_path)
    assert kind in refused.value.what
    assert "Did you mean" not in refused.value.hint
