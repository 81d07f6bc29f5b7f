"""The grid of shapes: what is on it, what is not, and which of it is tried."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import NoCandidate, NoSmallerShape
from zoo.registry.loader import load_registry
from zoo.search.budget import parse_budget
from zoo.search.candidates import Candidate, candidates_within, spread, table
from zoo.search.costs import costs_of
from zoo.search.space import AXES, Shape, shape_of, space_of, step_of

MODELS = load_registry().models
NANO = MODELS["nano-teacher"].architecture
PUBLISHED = {
    "mistral-nemo-minitron-8b": "mistral-nemo-12b",
    "llama-3.1-minitron-4b-width": "llama-3.1-8b",
    "llama-3.1-minitron-4b-depth": "llama-3.1-8b",
    "minitron-8b": "nemotron-4-15b",
    "minitron-4b": "nemotron-4-15b",
    "nano-width": "nano-teacher",
    "nano-depth": "nano-teacher",
}


def within(parent, budget, allowed=0.05):
    space = space_of(parent)
    return candidates_within(space, costs_of(parse_budget(budget), parent, allowed))


@pytest.mark.parametrize(("child", "parent"), PUBLISHED.items())
def test_a_published_child_is_a_candidate_of_its_parents_dimensions_alone(child, parent):
    published = MODELS[child].architecture  # nothing below reads it but the last line
    parameters = MODELS[child].parameters
    found = within(MODELS[parent].architecture, f"params={parameters}")
    assert shape_of(published) in {each.shape for each in found}
    assert {each.shape.of(MODELS[parent].architecture).head_dim for each in found} == {published.head_dim}


def test_every_candidate_is_within_the_budget_and_has_whole_groups_and_a_buildable_hidden_size():
    for each in within(NANO, "params=50%"):
        assert abs(each.parameters / (0.5 * MODELS["nano-teacher"].parameters) - 1) <= 0.05
        assert each.shape.heads % NANO.num_kv_heads == 0
        assert (
            each.shape.hidden % each.shape.heads == 0
        )  # transformers' Llama demands it, although head_dim is explicit
        assert each.shape.of(NANO).head_dim == 32


def test_steps_are_powers_of_two_that_leave_the_parent_enough_of_them():
    assert [step_of(NANO, axis) for axis in AXES] == [1, 2, 16, 4]
    space = space_of(NANO, least_share=0.375)
    assert (space.layers, space.heads, space.hidden) == ((3, 4, 5, 6), (4, 6), (64, 80, 96, 112, 128, 144))
    assert (space.ffn[0], space.ffn[-1]) == (120, 320)


def test_only_the_axes_that_are_named_are_cut():
    space = space_of(NANO, ["ffn"])
    assert (space.layers, space.heads, space.hidden) == ((6,), (6,), (144,))
    assert len(list(space.shapes())) == len(space.ffn) - 1


def test_a_parent_that_allows_no_step_is_refused_with_the_reason_of_each_axis():
    small = NANO.model_copy(
        update={"num_layers": 1, "num_attention_heads": 2, "hidden_size": 4, "ffn_hidden_size": 16, "num_kv_heads": 2}
    )
    with pytest.raises(NoSmallerShape) as raised:
        space_of(small)
    for why in (
        "layers 1 moves by 1",
        "heads 2 moves by 2",
        "hidden 4 has fewer channels than the 8",
        "ffn 16 has fewer",
    ):
        assert why in str(raised.value)


def test_a_budget_that_nothing_meets_names_the_nearest_shapes():
    with pytest.raises(NoCandidate) as raised:
        within(NANO, "params=100")
    assert "The nearest are hidden=64 ffn=120 heads=4 layers=3 (" in str(raised.value)
    assert "times it)" in str(raised.value)
    with pytest.raises(NoCandidate, match=r"hidden=144 ffn=320 heads=4 layers=3 \(692\.2 k parameters, \+0\.0%\)"):
        within(NANO, "params=692136", allowed=1e-9)


def test_the_table_has_every_candidate_and_numbers_those_that_are_tried():
    found = within(NANO, "params=50%")
    tried = spread(found, 3)
    rows = list(csv.DictReader(io.StringIO(table(found, tried))))
    assert len(rows) == len(found)
    numbers = {
        int(row["tried"]): (row["layers"], row["heads"], row["hidden"], row["ffn"]) for row in rows if row["tried"]
    }
    assert numbers == {
        number: tuple(map(str, (each.shape.layers, each.shape.heads, each.shape.hidden, each.shape.ffn)))
        for number, each in enumerate(tried, 1)
    }


SHAPES = st.builds(Shape, *[st.integers(1, 64)] * 4)


@settings(deadline=None)
@given(st.lists(SHAPES, min_size=1, max_size=12, unique=True), st.integers(1, 14))
def test_each_shape_that_is_chosen_is_the_farthest_from_those_before(shapes, count):
    candidates = [Candidate(shape, 0, 0.0, 0.0) for shape in shapes]
    chosen = spread(candidates, count)
    assert chosen[0] == candidates[0]
    assert len(chosen) == len(set(chosen)) == min(count, len(shapes))

    def gap(one, others):
        return min(one.shape.distance(other.shape) for other in others)

    for at in range(1, len(chosen)):
        before = chosen[:at]
        assert gap(chosen[at], before) == max(gap(each, before) for each in candidates if each not in before)
    assert spread(candidates, count) == chosen
