"""Tie classes: anchored on their leader, the same in whatever order figures come, a model counted once."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.board.ranks import Entrant, Place, places


def entrant(model, value, half):
    return Entrant(model, value - half, value + half)


@st.composite
def fields(draw):
    """Entrants with many equal bounds among them, some models several times."""
    made = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 20), st.integers(0, 6)), max_size=12))
    return [entrant(model, value / 10, half / 10) for model, value, half in made]


def by_definition(entrants):
    """Classes as the docstring has them, the slow way, for figures of which more is better."""
    left, classes = list(range(len(entrants))), []
    while left:
        leader = max(left, key=lambda index: entrants[index].lower)
        classes.append([index for index in left if entrants[index].upper >= entrants[leader].lower])
        left = [index for index in left if index not in classes[-1]]
    return classes


@given(fields())
def test_classes_are_those_of_the_definition(entrants):
    found, before = places(entrants, higher_is_better=True), set()
    for members in by_definition(entrants):
        models = {entrants[index].model for index in members}
        for index in members:
            assert found[index] == Place(1 + len(before - {entrants[index].model}), len(models))
        before |= models


@given(fields(), st.randoms())
def test_the_order_in_which_figures_come_changes_no_place(entrants, chance: random.Random):
    order = list(range(len(entrants)))
    chance.shuffle(order)
    shuffled = places([entrants[index] for index in order], higher_is_better=True)
    assert [shuffled[order.index(index)] for index in range(len(entrants))] == places(entrants, higher_is_better=True)


@given(fields())
def test_less_is_better_is_the_mirror(entrants):
    mirrored = [Entrant(e.model, -e.upper, -e.lower) for e in entrants]
    assert places(entrants, higher_is_better=False) == places(mirrored, higher_is_better=True)


def test_a_chain_of_overlaps_is_not_one_class():
    """Each overlaps with the next; the third does not reach the first's lower bound."""
    chain = [entrant("a", 0.60, 0.03), entrant("b", 0.56, 0.03), entrant("c", 0.52, 0.03), entrant("d", 0.48, 0.03)]
    assert [(place.rank, place.tied) for place in places(chain, higher_is_better=True)] == [
        (1, 2),
        (1, 2),
        (3, 2),
        (3, 2),
    ]


def test_two_that_the_data_do_not_separate_are_one_class():
    assert places([entrant("a", 0.601, 0.02), entrant("b", 0.6, 0.02)], higher_is_better=True) == [Place(1, 2)] * 2


def test_a_wide_interval_reaches_a_class_above_narrower_ones():
    """What the data do not leave behind the leader is in its class, though others with better lower bounds are not."""
    field = [entrant("best", 0.8, 0.01), entrant("near", 0.7, 0.01), entrant("wide", 0.6, 0.3)]
    assert [place.rank for place in places(field, higher_is_better=True)] == [1, 3, 1]


def test_a_model_run_in_many_ways_takes_one_place():
    ways = [Entrant("fast", 0.79 + way / 1000, 0.81) for way in range(5)]
    found = places([*ways, entrant("slow", 0.5, 0.01)], higher_is_better=True)
    assert found == [*[Place(1, 1)] * 5, Place(2, 1)]


def test_the_same_model_does_not_push_its_own_second_way_down():
    found = places([entrant("a", 0.8, 0.01), entrant("a", 0.5, 0.01)], higher_is_better=True)
    assert [place.rank for place in found] == [1, 1]


@pytest.mark.parametrize("higher", [True, False])
def test_nobody_took_part(higher):
    assert places([], higher) == []
