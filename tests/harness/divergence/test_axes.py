"""Each axis of nano's plans alone: the scores are those of a model that `prune` writes with this axis alone."""

import functools
import json

import numpy as np
import pytest
from support.diverging import asking

from backends.opening import open_backend
from harness.accuracy.prepare import prepare
from harness.divergence.axes import axis_losses, plan_of
from harness.divergence.axis_loss import WHOLE
from harness.divergence.right_answers import right_answers
from harness.divergence.same_questions import asked_of_another
from zoo.checkpoint.locate import locate
from zoo.errors import InvalidPlan, NoRightAnswer, OtherParent, UnknownModel
from zoo.prune.parent import open_parent
from zoo.prune.plan import write_plan
from zoo.prune.scores import random_scores
from zoo.prune.selection import plan_from_ranking
from zoo.prune.target import Target, child_shape
from zoo.prune.write.writer import write_child, write_virtual

TASKS = ("nano_words", "nano_cloze")
PARAMETERS = {"nano-teacher": 1_384_272, "nano-width-pruned": 729_312}


@pytest.fixture(scope="module", autouse=True)
def prepared_once():
    """Prompts of a request are made once for all tests."""
    once = functools.cache(prepare)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.divergence.axes.prepare", lambda request, tell: once(request))
        yield


@pytest.fixture(scope="module")
def request_():
    return asking("", *TASKS, limit=3)


@pytest.fixture(scope="module")
def found(request_):
    return axis_losses("nano-teacher", "nano-width-pruned", request_)


@pytest.fixture(scope="module")
def answers_of(request_):
    """What a folder's own model, by the backend that fits it, makes of the same prompts."""
    from dataclasses import replace

    evaluation = prepare(replace(request_, model="nano-teacher"))

    def answer(word):
        asked = asked_of_another(evaluation, replace(request_, model=str(word)))
        backend = open_backend(locate(asked.outline), None, asked.request.options)
        return right_answers(asked.plans, backend)

    return answer


def planned(parent, target):
    shape = child_shape(parent.dims, target)
    return plan_from_ranking(parent.identity, shape, random_scores(parent.dims, 0).ranking(shape))


@pytest.fixture(scope="module")
def parent(teacher):
    return open_parent(teacher, "nano-teacher")


def test_a_row_an_axis_and_the_whole_plan_last(found):
    assert [(row.axis, row.cut) for row in found.rows] == [
        ("hidden", "144 → 96"), ("ffn", "320 → 208"), (WHOLE, "hidden 144 → 96, ffn 320 → 208"),
    ]  # fmt: skip
    assert [row.parameters for row in found.rows] == [922_848, 1_093_968, PARAMETERS["nano-width-pruned"]]
    for row in found.rows:
        assert row.saved == PARAMETERS["nano-teacher"] - row.parameters
        assert row.n == 6
        assert row.lost_per_million == pytest.approx(-row.difference.value / row.saved * 1e6)
        assert row.difference.lower < row.difference.value < row.difference.upper
        assert row.p_holm >= row.p_value
        assert [task.task for task in row.tasks] == list(TASKS)
        assert np.mean([task.difference.value for task in row.tasks]) == pytest.approx(row.difference.value)
    assert found.sum_of_axes == pytest.approx(found.rows[0].difference.value + found.rows[1].difference.value)
    assert found.interaction.value == pytest.approx(found.rows[2].difference.value - found.sum_of_axes)
    told = json.loads(json.dumps(found.document()))
    assert told["rows"][0]["lost_per_million"] == found.rows[0].lost_per_million
    assert told["sum_of_axes"] == found.sum_of_axes


def test_parent_and_whole_plan_score_as_the_shipped_models_do(found, answers_of):
    parent, child = answers_of("nano-teacher"), answers_of("nano-width-pruned")
    assert found.gold == pytest.approx(parent.gold.mean(), abs=1e-4)
    assert found.accuracy == parent.right.mean()
    assert found.rows[-1].gold == pytest.approx(child.gold.mean(), abs=1e-4)
    assert found.rows[-1].accuracy == child.right.mean()
    assert found.rows[-1].difference.value == pytest.approx((child.gold - parent.gold).mean(), abs=1e-4)


def test_one_axis_scores_as_the_checkpoint_that_is_pruned_by_it_alone(request_, answers_of, parent, tmp_path):
    whole = planned(parent, Target(ffn=200, drop=(2, 3)))
    losses = axis_losses("nano-teacher", whole, request_)
    assert [row.axis for row in losses.rows] == ["ffn", "layers", WHOLE]
    assert losses.rows[1].cut == "6 → 4 (without 2-3)"
    for row, target in zip(losses.rows[1:], (Target(drop=(2, 3)), Target(ffn=200, drop=(2, 3))), strict=True):
        write_child(planned(parent, target), parent, tmp_path / row.axis)
        assert row.gold == pytest.approx(answers_of(tmp_path / row.axis).gold.mean(), abs=1e-4)


def test_a_plan_of_one_axis_has_one_row(request_):
    found = axis_losses("nano-teacher", "nano-depth-pruned", request_)
    assert [(row.axis, row.cut) for row in found.rows] == [(WHOLE, "layers 6 → 3 (without 2-4)")]
    assert found.interaction is None
    assert found.rows[0].p_holm == found.rows[0].p_value


def test_a_cut_that_transformers_refuses_is_a_row_with_the_reason(request_, parent):
    """100 channels are no multiple of the parent's 6 heads; of the plan's 4 they are."""
    found = axis_losses("nano-teacher", planned(parent, Target(hidden=100, heads=4)), request_)
    hidden, heads, whole = found.rows
    assert "hidden=100 is no multiple of 6 heads" in hidden.refused
    assert (hidden.difference, hidden.p_holm, hidden.n) == (None, None, 0)
    assert heads.difference is not None
    assert whole.difference is not None
    assert found.interaction is None
    assert found.sum_of_axes is None
    assert found.document()["rows"][0]["difference"] is None


def test_a_plan_is_a_file_a_folder_or_a_model_that_comes_with_one(parent, tmp_path):
    plan = planned(parent, Target(ffn=200))
    write_virtual(plan, parent, tmp_path / "virtual")
    assert plan_of(write_plan(plan, tmp_path / "alone")) == plan
    assert plan_of(str(tmp_path / "virtual")) == plan
    assert plan_of("nano-width-pruned").parameters == PARAMETERS["nano-width-pruned"]


@pytest.mark.parametrize(
    ("word", "error", "told"),
    [
        ("nano-teacher", InvalidPlan, "nano-teacher comes without a pruning plan"),
        ("minitron-4b", InvalidPlan, "comes without"),
        ("nano-breadth", UnknownModel, "nano-breadth"),
    ],
)
def test_what_is_no_plan_is_refused_by_name(word, error, told):
    with pytest.raises(error, match=told):
        plan_of(word)


def test_what_cannot_be_compared_is_refused_before_a_model_runs(request_, monkeypatch, parent):
    monkeypatch.setattr("harness.divergence.axes.open_backend", lambda *args: pytest.fail("a model was opened"))
    with pytest.raises(OtherParent, match="another parent"):
        axis_losses("nano-depth", "nano-width-pruned", request_)
    with pytest.raises(InvalidPlan, match="cuts nothing"):
        axis_losses("nano-teacher", planned(parent, Target()), request_)
    with pytest.raises(NoRightAnswer, match="custom"):
        axis_losses("nano-teacher", "nano-width-pruned", asking("", "nano_sums"))
