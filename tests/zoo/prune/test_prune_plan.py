"""Plans: published edges to the unit, group-aware heads, files that round-trip, and what is refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.prune.indices import as_runs, parse_runs
from zoo.prune.plan import Choice, ParentIdentity, Ranking, make_plan, read_plan, residual_pairs, top
from zoo.prune.recipes import EDGES, recipe
from zoo.prune.target import Target, child_shape, parse_target
from zoo.registry.loader import load_registry

NEMO = load_registry().models["mistral-nemo-12b"].architecture


def some_ranking(dims, seed=0):
    dice = np.random.default_rng(seed)
    shape = (dims.num_layers, dims.num_attention_heads), (dims.num_layers, dims.ffn_hidden_size)
    return Ranking(
        Choice(method="random"), dice.random(shape[0]), dice.random(shape[1]), dice.random(dims.hidden_size),
        layers=dice.random(dims.num_layers),
    )  # fmt: skip


@pytest.mark.parametrize("child", EDGES)
def test_every_published_edge_has_the_registrys_parameters(child):
    edge, registry = recipe(child), load_registry()
    parent, model = registry.models[edge.parent], registry.models[child]
    shape = edge.shape(parent.architecture)
    assert shape.parameters == model.parameters
    plan = make_plan(ParentIdentity(name=edge.parent, dims=parent.architecture), shape, some_ranking(shape.parent))
    assert plan.parameters == model.parameters
    for axis, (before, after) in model.lineage.compression.axes.items():
        assert (getattr(shape.parent, axis), getattr(plan.shape.dims, axis)) == (before, after)


def test_the_published_depth_block_leaves_layers_1_to_15_and_32():
    parent = load_registry().models["llama-3.1-8b"].architecture
    shape = recipe("llama-3.1-minitron-4b-depth").shape(parent)
    plan = make_plan(ParentIdentity(name="p", dims=parent), shape, Ranking(Choice(method="published")))
    assert [kept.parent + 1 for kept in plan.layers] == [*range(1, 16), 32]
    assert recipe("llama-3.1-minitron-4b-depth").chosen_on == ("winogrande",)


def test_a_written_plan_reads_back_equal_and_small(tmp_path):
    shape = recipe("mistral-nemo-minitron-8b").shape(NEMO)
    plan = make_plan(ParentIdentity(name="p", digest="d", dims=NEMO), shape, some_ranking(NEMO))
    (tmp_path / "plan.json").write_text(plan.text())
    assert read_plan(tmp_path / "plan.json") == plan
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
    ranking = Ranking(Choice(method="test"), heads=np.array([scores]))
    plan = make_plan(ParentIdentity(name="p", dims=dims), child_shape(dims, Target(heads=4 * keep)), ranking)
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
    blocks = Ranking(Choice(method="t"), layers=np.array([0.0, 9, 0, 9, 9, 9]), blocks=np.array([5.0, 4, 3, 1, 2]))
    assert [k.parent for k in make_plan(identity, shape, blocks).layers] == [0, 1, 2, 5]
    single = Ranking(Choice(method="t"), layers=np.array([0.0, 9, 0, 9, 9, 9]))
    assert [k.parent for k in make_plan(identity, shape, single).layers] == [1, 3, 4, 5]


def test_head_residual_pairs_mirror_about_the_cut():
    # L = 6, K = 4, heads named by rank from 1: i runs from 3 to 4, and takes 2K − i + 1 = 6 and 5
    assert residual_pairs([1, 2, 3, 4, 5, 6], 4) == ((3, 6), (4, 5))


def test_head_residual_of_more_than_half_the_group_is_refused():
    with pytest.raises(InputError, match="fold 4 pruned heads"):
        residual_pairs([1, 2, 3, 4, 5, 6], 2)


def test_per_layer_targets_are_spelt_with_colons():
    dims = NEMO.model_copy(update={"num_layers": 3})
    shape = child_shape(dims, parse_target(["hidden=4096", "ffn=100:200:300,heads=32:16:8"]))
    assert (shape.hidden, shape.ffn, shape.heads, shape.uniform) == (4096, (100, 200, 300), (32, 16, 8), False)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("ffn=99999", "more than the parent's 14336"),
        ("hidden=8192", "more than the parent's 5120"),
        ("layers=41", "more than the parent's 40"),
        ("heads=12", "a group would be split"),
        ("heads=64", "more than the parent's 32"),
        ("ffm=12", "Did you mean 'ffn'"),
        ("ffn", "is no target"),
        ("ffn=x", "is no target"),
        ("ffn=0", "leaves nothing"),
        ("hidden=1:2", "more than one value"),
        ("ffn=1:2", "2 values for 40"),
        ("drop=30-40", "names layer 40"),
        ("layers=3 drop=1", "contradict"),
    ],
)
def test_a_wrong_target_is_refused_with_the_reason(target, says):
    with pytest.raises(InputError, match=says):
        child_shape(NEMO, parse_target([target]))


def test_a_llama_that_transformers_would_not_load_is_refused():
    llama = load_registry().models["llama-3.1-8b"].architecture
    with pytest.raises(InputError, match=r"no multiple of 32 heads.*hidden=992"):
        child_shape(llama, Target(hidden=1000))


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda p: p.update(parameters=5), "index sets give"),
        (lambda p: p["layers"][0].update(ffn="0-9,99"), "index 99, but the parent has 56"),
        (lambda p: p["layers"][0].update(heads="0-2"), "split a GQA group"),
        (lambda p: p.update(layers=[]), "no pruning plan"),
        (lambda p: p.update(surprise=1), "no pruning plan"),
        (lambda p: p["layers"].reverse(), "not ascending"),
    ],
)
def test_an_edited_plan_is_refused_with_the_reason(edit, says, tmp_path):
    sizes = {"num_layers": 2, "ffn_hidden_size": 56, "num_attention_heads": 6, "num_kv_heads": 2}
    dims = NEMO.model_copy(update=sizes)
    plan = make_plan(ParentIdentity(name="p", dims=dims), child_shape(dims, Target(ffn=40)), some_ranking(dims))
    content = json.loads(plan.text())
    edit(content)
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=says):
        read_plan(tmp_path / "plan.json")
