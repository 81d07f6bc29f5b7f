"""The share retained: held against the bootstrap, against the test that it inverts, and at its edges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.paired.real import mean_p, paired_mean
from harness.stats.paired.retained import Retained, retained

unhurried = settings(deadline=None, max_examples=50)  # a busy machine may take its time


def right_or_wrong(n, seed, keeps=0.85):
    dice = np.random.default_rng(seed)
    reference = (dice.random(n) < 0.7).astype(float)
    return reference, np.where(dice.random(n) < keeps, reference, dice.random(n) < 0.3).astype(float)


def test_by_hand():
    """7 and 6 of 10 right, chance 0.5: 0.1/0.2."""
    found = retained([1] * 7 + [0] * 3, [1] * 6 + [0] * 4, 0.5)
    assert found.value == pytest.approx(0.5)
    assert found.raw == pytest.approx(6 / 7)


def test_fiellers_interval_is_near_the_bootstraps():
    reference, candidate = right_or_wrong(1500, 1)
    picks = np.random.default_rng(2).integers(0, 1500, (4000, 1500))
    shares = (candidate[picks].mean(1) - 0.25) / (reference[picks].mean(1) - 0.25)
    found = retained(reference, candidate, 0.25)
    # A quantile at 2.5 % of 4,000 is known to a twentieth of the interval's width.
    assert (found.lower, found.upper) == pytest.approx(tuple(np.quantile(shares, [0.025, 0.975])), abs=0.005)


def test_with_clusters_it_is_near_the_bootstrap_of_clusters():
    reference, candidate = (np.repeat(column, 5) for column in right_or_wrong(300, 3))
    clusters = np.repeat(np.arange(300), 5).tolist()
    picks = np.random.default_rng(2).integers(0, 300, (4000, 300))
    shares = (candidate[::5][picks].mean(1) - 0.25) / (reference[::5][picks].mean(1) - 0.25)
    found = retained(reference, candidate, 0.25, clusters)
    assert (found.lower, found.upper) == pytest.approx(tuple(np.quantile(shares, [0.025, 0.975])), abs=0.015)
    assert found.upper - found.lower > 1.8 * (lambda r: r.upper - r.lower)(retained(reference, candidate, 0.25))


@unhurried
@given(st.integers(0, 1000), st.floats(0.3, 1.0), st.sampled_from([0.8, 0.95]), st.booleans())
def test_its_ends_are_the_shares_that_the_paired_t_just_rejects(seed, keeps, confidence, weighted):
    reference, candidate = right_or_wrong(200, seed, keeps)
    clusters = (np.arange(200) // 2).tolist()
    weights = np.linspace(1, 3, 200).tolist() if weighted else None
    found = retained(reference, candidate, 0.25, clusters, weights, confidence)
    assert found.lower <= found.value <= found.upper
    for end in (found.lower, found.upper):
        left = paired_mean((candidate - 0.25) - end * (reference - 0.25), clusters, weights)
        if left.stderr:
            assert mean_p(left) == pytest.approx(1 - confidence, abs=1e-6)


def test_the_same_answers_retain_all():
    reference, _ = right_or_wrong(100, 5)
    found = retained(reference, reference, 0.25)
    assert found.value == found.raw == 1
    assert (found.lower, found.upper) == pytest.approx((1, 1), abs=1e-6)  # the root of a discriminant that rounds to 0


def test_a_candidate_at_chance_retains_nothing_and_below_it_less():
    reference = [1.0] * 30 + [0.0] * 10
    assert retained(reference, [1.0] * 10 + [0.0] * 30, 0.25).value == 0
    assert retained(reference, [0.0] * 40, 0.25).value == -0.5


def test_a_reference_at_chance_has_nothing_to_retain():
    half = [1.0, 0.0] * 20
    assert retained(half, [1.0] * 40, 0.5) == Retained(None, None, None, 2.0)
    assert retained([0.0] * 40, half, 0.25) == Retained(None, None, None, None)


def test_a_reference_barely_above_chance_bounds_nothing():
    barely = [1.0] * 22 + [0.0] * 18
    found = retained(barely, [1.0, 0.0] * 20, 0.5)
    assert found.value == pytest.approx(0)
    assert (found.lower, found.upper) == (None, None)


def test_one_document_and_one_cluster_have_no_bounds():
    assert retained([1.0], [1.0], 0.25) == Retained(1.0, None, None, 1.0)
    assert retained([1.0, 1.0, 0.0], [1.0, 0.0, 0.0], 0.25, ["a"] * 3).lower is None


def test_what_does_not_fit_is_refused():
    for call, why in (
        (lambda: retained([1.0, 0.0], [1.0], 0.25), "2 documents of the reference and 1 of the candidate"),
        (lambda: retained([math.nan], [1.0], 0.25), "reference: not every number is finite"),
        (lambda: retained([1.0], [math.nan], 0.25), "candidate: not every number is finite"),
        (lambda: retained([], [], 0.25), "reference: a column"),
        (lambda: retained([1.0, 0.0], [1.0, 0.0], 0.25, confidence=95), "confidence"),
        (lambda: retained([1.0, 0.0], [1.0, 0.0], 0.25, ["a"]), "1 clusters of 2"),
    ):
        with pytest.raises(ValueError, match=why):
            call()
