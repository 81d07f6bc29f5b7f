"""Tango's statistic at the effective number of documents: of single documents Tango's own, and no pass on nothing."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.paired.binary import difference_interval, difference_z
from harness.stats.paired.clustered_binary import (
    clustered_difference_interval,
    clustered_difference_p,
    effective_documents,
)
from harness.stats.paired.real import mean_p, paired_mean

unhurried = settings(deadline=None, max_examples=50)  # a busy machine may take its time
signs = st.lists(st.tuples(st.sampled_from([-1, 0, 0, 0, 1]), st.integers(0, 11)), min_size=2, max_size=60)


def in_units(rows):
    differences, clusters = zip(*rows, strict=True)
    return list(differences), paired_mean(differences, clusters)


def drawn(dice, units, size, together, lost, gained):
    """Documents in units: each draws its own fate, or with chance `together` that of its unit."""
    fate = np.where(dice.random((units, size)) < together, dice.random((units, 1)), dice.random((units, size)))
    return np.where(fate < lost, -1.0, np.where(fate > 1 - gained, 1.0, 0.0)).ravel()


@unhurried
@given(st.integers(0, 40), st.integers(0, 40), st.integers(300, 600), st.floats(-0.2, 0.2))
def test_of_documents_on_their_own_it_is_nearly_tangos(lost, gained, n, null):
    differences = [-1] * lost + [1] * gained + [0] * (n - lost - gained)
    mean = paired_mean(differences)
    size = effective_documents(differences, mean)
    assert size == pytest.approx(n if lost + gained == 0 else n - 1)
    # t of 300 degrees is normal to a thousandth of p near 5 %, and z grows with the root of one document in n.
    expected = stats.norm.cdf(difference_z(lost, gained, n, null))
    assert clustered_difference_p(differences, mean, null, "less") == pytest.approx(expected, abs=0.005)
    interval = clustered_difference_interval(differences, mean, 0.95)
    assert interval == pytest.approx(difference_interval(lost, gained, n, 0.95), abs=0.002)


@unhurried
@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 40), st.integers(2, 6), st.floats(-0.3, 0.3))
def test_copies_of_documents_in_their_units_change_nothing(lost, gained, alike, copies, null):
    single = [-1] * lost + [1] * gained + [0] * (alike + 1)
    many = np.repeat(single, copies)
    mean = paired_mean(many, np.repeat(np.arange(len(single)), copies).tolist())
    assert effective_documents(many, mean) <= len(single) + 1e-6
    once, copied = clustered_difference_p(single, paired_mean(single), null), clustered_difference_p(many, mean, null)
    assert copied == pytest.approx(once, abs=1e-6)


@unhurried
@given(signs, st.floats(-0.99, 0.99), st.sampled_from([0.8, 0.95]))
def test_the_interval_holds_what_the_test_does_not_reject(rows, null, confidence):
    differences, mean = in_units(rows)
    lower, upper = clustered_difference_interval(differences, mean, confidence)
    assume(lower is not None)
    assert -1 <= lower <= mean.value + 1e-9
    assert mean.value - 1e-9 <= upper <= 1
    assume(min(abs(null - lower), abs(null - upper)) > 1e-6)
    assert (lower < null < upper) == (clustered_difference_p(differences, mean, null) > 1 - confidence)


@pytest.mark.parametrize(("units", "size", "together"), [(100, 1, 0.0), (40, 5, 0.7), (200, 5, 0.7)])
def test_a_loss_of_the_margin_passes_as_rarely_as_stated_where_t_lets_it_by(units, size, together):
    """Two documents in a hundred are lost and none gained, which is the margin: at 5 %."""
    dice, clusters, passed, by_t = np.random.default_rng(9), np.repeat(np.arange(units), size).tolist(), 0, 0
    for _ in range(400):
        differences = drawn(dice, units, size, together, 0.02, 0.0)
        mean = paired_mean(differences, clusters)
        passed += clustered_difference_p(differences, mean, -0.02, "greater") <= 0.05
        by_t += mean_p(mean, -0.02, "greater") <= 0.05
    assert passed / 400 < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 400)
    assert by_t / 400 > 0.08


def test_where_nothing_changed_the_units_count():
    nothing, clusters = [0] * 100, [k // 5 for k in range(100)]
    mean = paired_mean(nothing, clusters)
    assert effective_documents(nothing, mean) == 20
    assert clustered_difference_p(nothing, mean, -0.01, "greater") > 0.3
    lower, upper = clustered_difference_interval(nothing, mean, 0.95)
    q = stats.t.ppf(0.975, 19) ** 2
    assert (lower, upper) == pytest.approx((-q / (20 + q), q / (20 + q)))


def test_a_single_unit_tells_nothing():
    mean = paired_mean([-1, -1, 0], ["a"] * 3)
    assert clustered_difference_p([-1, -1, 0], mean, 0.0) == 1.0
    assert clustered_difference_p([-1, -1, 0], mean, 0.0, "less") == 0.5
    assert clustered_difference_interval([-1, -1, 0], mean, 0.95) == (None, None)


def test_everything_lost():
    mean = paired_mean([-1] * 36, [k // 3 for k in range(36)])
    lower, upper = clustered_difference_interval([-1] * 36, mean, 0.95)
    assert lower == -1 < upper < 0


def test_what_is_neither_lost_nor_gained_nor_the_same_is_refused():
    mean = paired_mean([0.5, 0.0])
    for call, why in (
        (lambda: effective_documents([0.5, 0.0], mean), "-1, 0 or 1"),
        (lambda: clustered_difference_p([math.nan, 0.0], mean), "finite"),
        (lambda: clustered_difference_p([1, 0], mean, 1.5), "beyond"),
        (lambda: clustered_difference_interval([1, 0], mean, 95), "confidence"),
    ):
        with pytest.raises(ValueError, match=why):
            call()
