"""Holm's adjustment: a case by hand, its properties, and what it promises."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.paired.holm import holm

p_lists = st.lists(st.floats(0, 1), max_size=20)


def test_a_case_by_hand():
    # sorted: 0.005·4, 0.01·3, 0.03·2 and 0.04·1, which 0.06 before it lifts
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02], abs=1e-15)
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []
    assert holm([0.2]) == [0.2]


@given(p_lists)
def test_adjusted_are_no_smaller_keep_the_order_and_end_at_1(p_values):
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)
    assert all(a <= min(1.0, p * len(p_values)) + 1e-15 for p, a in zip(p_values, adjusted, strict=True))


@given(p_lists, st.randoms())
def test_the_order_of_the_tests_does_not_matter(p_values, dice):
    places = list(range(len(p_values)))
    dice.shuffle(places)
    assert holm([p_values[k] for k in places]) == [holm(p_values)[k] for k in places]


@given(p_lists, st.floats(0, 1))
def test_it_rejects_what_the_step_down_procedure_rejects(p_values, alpha):
    rejected = set()
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if (len(p_values) - rank) * p_values[place] > alpha:
            break
        rejected.add(place)
    assert {k for k, a in enumerate(holm(p_values)) if a <= alpha} >= rejected
    if alpha < 1:
        assert {k for k, a in enumerate(holm(p_values)) if a <= alpha} == rejected


def test_one_false_alarm_among_twenty_true_hypotheses_is_as_rare_as_of_one():
    drawn = np.random.default_rng(3).random((4000, 20))
    alarms = sum(min(holm(list(row))) <= 0.05 for row in drawn)
    assert alarms / 4000 == pytest.approx(0.05, abs=0.014)  # four standard errors of 4,000


@pytest.mark.parametrize("wrong", [math.nan, -0.1, 1.1])
def test_what_is_no_p_value_is_refused(wrong):
    with pytest.raises(ValueError, match="p-value"):
        holm([0.5, wrong])
