"""Documents that share a unit: sums, and the sign test of them against every sign written out."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from harness.stats.paired.binary import mcnemar
from harness.stats.paired.clusters import clustered_sign_test, unit_numbers, unit_sums

unhurried = settings(deadline=None, max_examples=50)  # a busy machine may take its time

ALTERNATIVES = ("two-sided", "less", "greater")
small_sums = st.lists(st.integers(-6, 6), min_size=1, max_size=10)


def enumerated(sums, alternative):
    totals = np.array([np.dot(signs, np.abs(sums)) for signs in itertools.product((-1, 1), repeat=len(sums))])
    low, high = np.mean(totals <= sum(sums)), np.mean(totals >= sum(sums))
    return {"less": low, "greater": high, "two-sided": min(1.0, 2 * min(low, high))}[alternative]


@unhurried
@given(small_sums, st.sampled_from(ALTERNATIVES))
def test_it_is_the_enumeration_of_all_signs(sums, alternative):
    assert clustered_sign_test(sums, alternative) == pytest.approx(enumerated(sums, alternative), rel=1e-12)


@unhurried
@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 9), st.sampled_from(ALTERNATIVES))
def test_of_single_documents_it_is_mcnemars(lost, gained, alike, alternative):
    sums = [-1] * lost + [1] * gained + [0] * (alike + 1)
    assert clustered_sign_test(sums, alternative) == pytest.approx(mcnemar(lost, gained, alternative), rel=1e-10)


def test_ranks_as_sums_make_wilcoxons_test():
    values = np.random.default_rng(5).normal(0.3, 1, 40)
    ranks = np.sign(values) * (np.argsort(np.argsort(np.abs(values))) + 1)
    for alternative in ALTERNATIVES:
        expected = wilcoxon(values, alternative=alternative, method="exact").pvalue
        assert clustered_sign_test(ranks, alternative) == pytest.approx(expected, rel=1e-10)


def test_clusters_that_move_as_one_are_fewer_than_their_documents():
    assert clustered_sign_test([-5, -5, -5, -5], "less") == pytest.approx(1 / 16)
    assert mcnemar(20, 0, "less") < 1e-6


def test_nothing_changed_and_one_cluster():
    assert [clustered_sign_test([0, 0], a) for a in ALTERNATIVES] == [1.0, 1.0, 1.0]
    assert clustered_sign_test([-8], "less") == pytest.approx(0.5)
    assert clustered_sign_test([-8]) == 1.0


@unhurried
@given(small_sums)
def test_the_other_way_round_is_the_other_side(sums):
    assert clustered_sign_test(sums, "less") == pytest.approx(clustered_sign_test([-s for s in sums], "greater"))


@pytest.mark.parametrize(
    ("sums", "why"),
    [([0.5, 1], "whole"), ([math.nan], "finite"), ([], "column"), ([[1, 2]], "column"), ([math.inf], "finite")],
)
def test_what_is_no_sum_of_right_and_wrong_is_refused(sums, why):
    with pytest.raises(ValueError, match=why):
        clustered_sign_test(sums)


def test_units_are_numbered_as_they_appear_and_documents_without_one_stand_alone():
    assert unit_numbers(["b", "a", "b", None, None, "a"], 6).tolist() == [0, 1, 0, 2, 3, 1]
    assert unit_numbers(None, 3).tolist() == [0, 1, 2]
    assert unit_numbers([4, None], 2).tolist() == [0, 1]
    assert unit_sums([1, -1, 1, 0.5, 2, -1], ["b", "a", "b", None, None, "a"]).tolist() == [2, -2, 0.5, 2]
    with pytest.raises(ValueError, match="2 clusters of 3 documents"):
        unit_numbers(["a", "b"], 3)
