"""A plan with one axis alone is the plan, and the model, that pruning this axis alone makes."""

import pytest
from support.tiny_checkpoints import load, same_weights

from zoo.errors import InvalidPlan
from zoo.prune.parent import open_parent
from zoo.prune.plan import check_plan, cut_axes, one_axis, read_plan, write_plan
from zoo.prune.scores import random_scores
from zoo.prune.selection import plan_from_ranking
from zoo.prune.target import AXES, Target, child_shape
from zoo.prune.write.folder import expected_count
from zoo.prune.write.writer import write_child

TARGETS = {"hidden": Target(hidden=36), "ffn": Target(ffn=40), "heads": Target(heads=4), "layers": Target(drop=(1, 2))}
WHOLE = Target(hidden=36, ffn=40, heads=4, drop=(1, 2))


def pruned(parent, target, **options):
    shape = child_shape(parent.dims, target)
    return plan_from_ranking(parent.identity, shape, random_scores(parent.dims, 3).ranking(shape), **options)


def units(plan):
    return plan.hidden, plan.layers, plan.parameters


@pytest.mark.parametrize("family", ["llama", "llama-tied", "mistral", "nemotron"])
@pytest.mark.parametrize("axis", AXES)
def test_it_is_the_plan_that_pruning_this_axis_alone_makes(tiny_parent, family, axis):
    """But for widths of layers that the whole plan removes: these stay whole."""
    parent = open_parent(tiny_parent(family))
    alone, made = one_axis(pruned(parent, WHOLE), axis), pruned(parent, TARGETS[axis])
    assert cut_axes(alone) == cut_axes(made) == (axis,)
    kept = {layer.parent: layer for layer in made.layers}
    for layer in alone.layers:
        left_whole = axis in ("ffn", "heads") and layer.parent in WHOLE.drop
        assert (layer.ffn, layer.heads) == (
            (None, None) if left_whole else (kept[layer.parent].ffn, kept[layer.parent].heads)
        )
    assert alone.hidden == made.hidden
    if axis in ("hidden", "layers"):
        assert units(alone) == units(made)


@pytest.mark.parametrize("axis", ["hidden", "ffn", "heads"])
def test_where_no_layer_goes_it_is_the_same_model(tiny_parent, tmp_path, axis):
    parent = open_parent(tiny_parent("mistral"))
    whole = pruned(parent, Target(hidden=36, ffn=40, heads=4), head_residual=True)
    alone, made = one_axis(whole, axis), pruned(parent, TARGETS[axis], head_residual=True)
    assert units(alone) == units(made)
    for name, plan in (("alone", alone), ("made", made)):
        write_child(plan, parent, tmp_path / name)
    models = load(tmp_path / "alone"), load(tmp_path / "made")
    assert same_weights(*models)
    assert models[0].num_parameters() == expected_count(alone, parent)


def test_it_is_a_plan_like_any_other(tiny_parent, tmp_path):
    whole = pruned(open_parent(tiny_parent("llama")), WHOLE)
    made = {axis: one_axis(whole, axis) for axis in cut_axes(whole)}
    assert list(made) == ["hidden", "ffn", "heads", "layers"]
    for axis, plan in made.items():
        check_plan(plan)
        assert read_plan(write_plan(plan, tmp_path / axis)) == plan
        assert f"{axis} alone, of the plan {whole.digest()[:12]}" in plan.chosen.method
        assert plan.parameters > whole.parameters
        assert plan.parent == whole.parent
    assert len({plan.digest() for plan in made.values()}) == 4


def test_an_axis_that_the_plan_does_not_cut_is_refused(tiny_parent):
    plan = pruned(open_parent(tiny_parent("llama")), Target(ffn=40))
    with pytest.raises(InvalidPlan, match="does not cut heads: it cuts ffn"):
        one_axis(plan, "heads")
