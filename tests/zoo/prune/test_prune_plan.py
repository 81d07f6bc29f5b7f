"""Plans: published edges to the unit, group-aware heads, files that round-trip, and what is refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import InvalidPlan, InvalidTarget, UnknownName
from zoo.prune.indices import as_runs, parse_runs
from zoo.prune.plan import ParentIdentity, UnitSelection, read_plan, write_plan
from zoo.prune.recipes import EDGES, recipe
from zoo.prune.selection import Ranking, plan_from_ranking, residual_pairs, top
from zoo.prune.target import Target, child_shape, parse_target
from zoo.registry.loader import load_registry

NEMO = load_registry().models["mistral-nemo-12b"].architecture


def some_ranking(dims, seed=0):
    rng = np.random.default_rng(seed)
    shape = (dims.num_layers, dims.num_attention_heads), (dims.num_layers, dims.ffn_hidden_size)
    return Ranking(
        UnitSelection(method="random"), rng.random(shape[0]), rng.random(shape[1]), rng.random(dims.hidden_size),
        layers=rng.random(dims.num_layers),
    )  # fmt: skip


@pytest.mark.parametrize("child", EDGES)
def test_every_published_edge_has_the_registrys_parameters(child):
    edge, registry = recipe(child), load_registry()
    parent, model = registry.models[edge.parent], registry.models[child]
    shape = edge.shape(parent.architecture)
    assert shape.parameters == model.parameters
    plan = plan_from_ranking(
        ParentIdentity(name=edge.parent, dims=parent.architecture), shape, some_ranking(shape.parent)
    )
    assert plan.parameters == model.parameters
    for axis, (before, after) in model.lineage.compression.axes.items():
        assert (getattr(shape.parent, axis), getattr(plan.shape.dims, axis)) == (before, after)


def test_the_published_depth_block_leaves_layers_1_to_15_and_32():
    parent = load_registry().models["llama-3.1-8b"].architecture
    shape = recipe("llama-3.1-minitron-4b-depth").shape(parent)
    plan = plan_from_ranking(ParentIdentity(name="p", dims=parent), shape, Ranking(UnitSelection(method="published")))
    assert [kept.parent + 1 for kept in plan.layers] == [*range(1, 16), 32]
    assert recipe("llama-3.1-minitron-4b-depth").chosen_on == ("winogrande",)


def test_a_written_plan_reads_back_equal_and_small(tmp_path):
    shape = recipe("mistral-nemo-minitron-8b").shape(NEMO)
    plan = plan_from_ranking(ParentIdentity(name="p", digest="d", dims=NEMO), shape, some_ranking(NEMO))
    assert read_plan(write_plan(plan, tmp_path)) == plan
    assert (tmp_path / "plan.json").stat().st_size < 2 << 20
    assert plan.shape.parameters == shape.parameters


@given(st.sets(st.integers(0, 5000), min_size=1))
def test_runs_round_trip(indices):
    assert parse_runs(as_runs(sorted(indices))) == tuple(sorted(indices))


@pytest.mark.parametrize("text", ["", "3,2", "1,1", "5-3", "a", "0-99999999999", "-1"])
def test_what_is_no_ascending_list_of_runs_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_runs(text)


@given(st.lists(st.floats(0, 1), min_size=12, max_size=12), st.integers(1, 3))
def test_every_group_keeps_its_own_best_heads(scores, keep):
    dims = NEMO.model_copy(update={"num_layers": 1, "num_attention_heads": 12, "num_kv_heads": 4})
    ranking = Ranking(UnitSelection(method="test"), heads=np.array([scores]))
    plan = plan_from_ranking(ParentIdentity(name="p", dims=dims), child_shape(dims, Target(heads=4 * keep)), ranking)
    kept = plan.layers[0].heads or tuple(range(12))
    for group in range(4):
        inside = list(range(group * 3, group * 3 + 3))
        expected = sorted(sorted(inside, key=lambda h: (-scores[h], h))[:keep])
        assert [h for h in kept if h in inside] == expected


def test_of_equal_scores_the_lower_index_stays():
    assert top(np.ones(6), 3) == (0, 1, 2)


def test_the_cheapest_contiguous_block_goes_not_the_cheapest_single_layers():
    dims = NEMO.model_copy(update={"num_layers": 6})
    shape = child_shape(dims, Target(layers=4))
    identity = ParentIdentity(name="p", dims=dims)
    blocks = Ranking(
        UnitSelection(method="t"), layers=np.array([0.0, 9, 0, 9, 9, 9]), blocks=np.array([5.0, 4, 3, 1, 2])
    )
    assert [k.parent for k in plan_from_ranking(identity, shape, blocks).layers] == [0, 1, 2, 5]
    single = Ranking(UnitSelection(method="t"), layers=np.array([0.0, 9, 0, 9, 9, 9]))
    assert [k.parent for k in plan_from_ranking(identity, shape, single).layers] == [1, 3, 4, 5]


def test_head_residual_pairs_mirror_about_the_cut():
    # L = 6, K = 4, heads named by rank from 1: i runs from 3 to 4, and takes 2K − i + 1 = 6 and 5
    assert residual_pairs([1, 2, 3, 4, 5, 6], 4) == ((3, 6), (4, 5))


def test_head_residual_of_more_than_half_the_group_is_refused():
    with pytest.raises(InvalidTarget):
        residual_pairs([1, 2, 3, 4, 5, 6], 2)


def test_per_layer_targets_are_spelt_with_colons():
    dims = NEMO.model_copy(update={"num_layers": 3})
    shape = child_shape(dims, parse_target(["hidden=4096", "ffn=100:200:300,heads=32:16:8"]))
    assert (shape.hidden, shape.ffn, shape.heads, shape.uniform) == (4096, (100, 200, 300), (32, 16, 8), False)


@pytest.mark.parametrize(
    ("target", "figures"),
    [
        ("ffn=99999", ["99999", "14336"]),
        ("hidden=8192", ["8192", "5120"]),
        ("layers=41", ["41", "40"]),
        ("heads=12", ["12", "8"]),
        ("heads=64", ["64", "32"]),
        ("ffn", ["'ffn'"]),
        ("ffn=x", ["'ffn=x'"]),
        ("ffn=0", ["'ffn=0'"]),
        ("hidden=1:2", ["'hidden=1:2'"]),
        ("ffn=1:2", ["2 ", "40"]),
        ("drop=30-40", ["layer 40", "39"]),
        ("layers=3 drop=1", ["layers=3", "drop=1"]),
    ],
)
def test_a_wrong_target_is_refused_with_its_figures(target, figures):
    with pytest.raises(InvalidTarget) as error:
        child_shape(NEMO, parse_target([target]))
    assert all(figure in error.value.what for figure in figures)


def test_a_mistyped_axis_is_refused_with_the_nearest_one():
    with pytest.raises(UnknownName) as error:
        parse_target(["ffm=12"])
    assert "'ffn'" in error.value.hint


def test_a_llama_that_transformers_would_not_load_is_refused():
    llama = load_registry().models["llama-3.1-8b"].architecture
    with pytest.raises(InvalidTarget) as error:
        child_shape(llama, Target(hidden=1000))
    assert "hidden=992" in error.value.hint


@pytest.mark.parametrize(
    ("edit", "where"),
    [
        (lambda p: p.update(parameters=5), "says 5 parameters"),
        (lambda p: p["layers"][0].update(ffn="0-9,99"), "layer 0 ffn index 99"),
        (lambda p: p["layers"][0].update(heads="0-2"), "layer 0 keeps [3, 0]"),
        (lambda p: p.update(layers=[]), "layers"),
        (lambda p: p.update(surprise=1), "surprise"),
        (lambda p: p["layers"].reverse(), "0 to 1"),
    ],
)
def test_an_edited_plan_is_refused_and_the_place_is_named(edit, where, tmp_path):
    sizes = {"num_layers": 2, "ffn_hidden_size": 56, "num_attention_heads": 6, "num_kv_heads": 2}
    dims = NEMO.model_copy(update=sizes)
    plan = plan_from_ranking(ParentIdentity(name="p", dims=dims), child_shape(dims, Target(ffn=40)), some_ranking(dims))
    content = json.loads(plan.text())
    edit(content)
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(InvalidPlan) as error:
        read_plan(tmp_path / "plan.json")
    assert where in error.value.what
