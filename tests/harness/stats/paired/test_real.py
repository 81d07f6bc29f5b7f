"""Real-valued differences: held against scipy, cases by hand and every sign written out."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.means import mean_estimate, mean_statistics
from harness.stats.paired.real import (
    PairedMean,
    mean_interval,
    mean_p,
    mean_p_of,
    paired_mean,
    sign_flip,
    unseen_chance,
)

unhurried = settings(deadline=None, max_examples=50)  # a busy machine may take its time

ALTERNATIVES = ("two-sided", "less", "greater")
values = st.floats(-100, 100).map(lambda v: round(v, 3))
columns = st.lists(values, min_size=2, max_size=40)


@unhurried
@given(columns, columns, st.sampled_from(ALTERNATIVES))
def test_without_clusters_it_is_the_paired_t_test(a, b, alternative):
    n = min(len(a), len(b))
    a, b = np.array(a[:n]), np.array(b[:n])
    assume(np.ptp(b - a) > 0.01)
    mean, expected = paired_mean(b - a), stats.ttest_rel(b, a, alternative=alternative)
    assert mean.value == pytest.approx(np.mean(b - a), abs=1e-9)  # fp64 sums of 40 values up to 200
    assert mean.stderr == pytest.approx(stats.sem(b - a), rel=1e-9)
    assert (mean.units, mean.freedom) == (n, n - 1)
    assert mean_p(mean, alternative=alternative) == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    interval = stats.ttest_rel(b, a).confidence_interval(0.9)
    assert mean_interval(mean, 0.9) == pytest.approx((interval.low, interval.high), abs=1e-8)


def test_clusters_by_hand():
    """Units a: 0.2, 0.4; b: -0.1; c: 0.3, 0.2. The mean is 0.2, residual sums 0.2, -0.3 and 0.1."""
    mean = paired_mean([0.2, -0.1, 0.3, 0.4, 0.2], ["a", "b", "c", "a", "c"])
    assert mean.value == pytest.approx(0.2)
    assert mean.stderr == pytest.approx(math.sqrt(3 / 2 * (0.04 + 0.09 + 0.01)) / 5)
    assert (mean.units, mean.freedom) == (3, 2)


def test_weights_by_hand():
    """Weights 1, 2, 1: the mean is (1 + 4 + 6)/4 = 2.75, residuals (-1.75, -1.5, 3.25)/4."""
    mean = paired_mean([1, 2, 6], weights=[1, 2, 1])
    assert mean.value == 2.75
    assert mean.stderr == pytest.approx(math.sqrt(3 / 2 * (1.75**2 + 1.5**2 + 3.25**2)) / 4)


@unhurried
@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 5)), min_size=2, max_size=40))
def test_its_error_is_that_of_a_score_with_the_same_clusters(rows):
    differences, clusters = zip(*rows, strict=True)
    assume(len(set(clusters)) > 1)
    expected = mean_estimate(sum(differences) / len(rows), len(rows), mean_statistics(differences, clusters)).stderr
    assert paired_mean(differences, clusters).stderr == pytest.approx(expected, abs=1e-10)


@unhurried
@given(columns, st.integers(1, 5), st.integers(1, 9))
def test_equal_weights_are_none_and_a_doubled_document_in_a_cluster_is_none_more(listed, weight, copies):
    plain = paired_mean(listed)
    weighted = paired_mean(listed, weights=[weight] * len(listed))
    doubled = paired_mean(np.repeat(listed, copies), np.repeat(np.arange(len(listed)), copies).tolist())
    for other in (weighted, doubled):
        assert (other.value, other.stderr) == pytest.approx((plain.value, plain.stderr), abs=1e-9)
        assert other.units == plain.units


def test_documents_of_weight_0_are_none():
    assert paired_mean([1.0, 2.0, 9.0], weights=[1, 1, 0]).units == 2
    assert paired_mean([1.0, 2.0, 9.0], weights=[1, 1, 0]).value == 1.5


def test_a_document_without_a_cluster_is_a_unit_of_its_own():
    assert paired_mean([1, 2, 3, 4], ["a", None, "a", None]).units == 3


def test_the_mean_of_clusters_is_covered_by_its_interval():
    """Twenty units of five documents each that share most of their error: the naive interval would hold 63 % of true means."""
    dice = np.random.default_rng(11)
    shared = dice.normal(0, 1, (2000, 20, 1)) + dice.normal(0, 0.5, (2000, 20, 5))
    clusters = np.repeat(np.arange(20), 5).tolist()
    held = [low < 0 < high for low, high in (mean_interval(paired_mean(x.ravel(), clusters), 0.95) for x in shared)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)  # four standard errors of 2,000


@pytest.mark.parametrize(
    ("mean", "null", "two_sided", "less", "greater"),
    [
        (PairedMean(0.0, 0.0, 9, 8), 0.0, 1.0, 1.0, 1.0),
        (PairedMean(0.0, 0.0, 9, 8), -0.01, 2 / 512, 1.0, 1 / 512),
        (PairedMean(-0.5, 0.0, 3, 2), 0.0, 1 / 4, 1 / 8, 1.0),
        (PairedMean(-0.5, None, 1, 0), 0.0, 1.0, 1 / 2, 1.0),
        (PairedMean(0.0, 0.0, 20_000, 19_999), -0.01, 0.0, 1.0, 0.0),
    ],
)
def test_of_units_that_are_all_alike_the_signs_decide(mean, null, two_sided, less, greater):
    found = [mean_p(mean, null, alternative) for alternative in ALTERNATIVES]
    assert found == [two_sided, less, greater]


def test_alike_but_for_rounding_is_alike():
    assert paired_mean([0.1] * 7).stderr == 0
    assert paired_mean([0.1, 0.3, 0.3, 0.1, 0.1 + 1e-17, 0.3], ["a", "a", "b", "b", "c", "c"]).stderr == 0
    assert paired_mean([1e-9, 2e-9, 4e-9]).stderr > 0


def test_an_interval_needs_units_that_can_tell():
    assert mean_interval(paired_mean([0.3]), 0.95) == (None, None)
    assert mean_interval(paired_mean([0.3] * 5), 0.95) == (None, None)  # two-sided no signs of five go below 1/16
    assert mean_interval(paired_mean([0.25] * 6), 0.95) == (0.25, 0.25)
    assert mean_interval(paired_mean([0.3, 0.4], ["a", "a"]), 0.95) == (None, None)


@unhurried
@given(columns, st.floats(-100, 100), st.sampled_from([0.8, 0.95]))
def test_the_interval_holds_what_the_test_does_not_reject(listed, null, confidence):
    mean = paired_mean(listed)
    lower, upper = mean_interval(mean, confidence)
    p = mean_p(mean, null)
    assert 0 <= p <= 1
    assume(lower is not None and mean.stderr and abs(p - (1 - confidence)) > 1e-6)
    assert (lower < null < upper) == (p > 1 - confidence)


def test_units_without_a_difference_exclude_a_loss_as_patients_without_harm_a_risk():
    alike = paired_mean([0.0] * 100)
    assert mean_p(alike, -0.01, "greater", unit_interval=True) == pytest.approx(0.99**100)
    assert mean_p(paired_mean([0.0] * 299), -0.01, "greater", unit_interval=True) < 0.05
    assert mean_p(paired_mean([0.0] * 298), -0.01, "greater", unit_interval=True) > 0.05
    lower, upper = mean_interval(alike, 0.9, unit_interval=True)
    assert lower == -upper == pytest.approx(-0.0295, abs=1e-4)  # 3/100, nearly
    assert unseen_chance(-0.2, 0.1, 10) == pytest.approx((1 - 0.3 / 1.2) ** 10)
    assert unseen_chance(1.0, 1.0, 3) == 1.0


def test_a_hair_of_difference_makes_no_certainty_of_a_bounded_metric():
    nearly = paired_mean([0.0] * 19 + [1e-6])
    assert mean_p(nearly, -0.01, "greater") < 1e-9
    assert mean_p(nearly, -0.01, "greater", unit_interval=True) > 0.8


@unhurried
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30), st.floats(-1, 1), st.sampled_from([0.8, 0.95]))
def test_the_interval_of_a_bounded_metric_holds_what_its_test_does_not_reject(listed, null, confidence):
    mean = paired_mean(listed)
    lower, upper = mean_interval(mean, confidence, unit_interval=True)
    p = mean_p(mean, null, unit_interval=True)
    assert mean_p(mean, null) - 1e-12 <= p <= 1
    assume(lower is not None and mean.stderr and abs(p - (1 - confidence)) > 1e-6)
    assert -1 <= lower <= mean.value <= upper <= 1
    if abs(null) < 1:
        assert (lower < null < upper) == (p > 1 - confidence)


def test_a_bounded_metric_has_no_mean_beyond_1():
    with pytest.raises(ValueError, match="beyond"):
        mean_p(paired_mean([0.0, 0.1]), -1.5, unit_interval=True)


def test_arrays_are_their_elements_and_equal_scipys_t():
    value, stderr, freedom = (
        np.array([-0.02, 0.01, 0.0, -1.0]),
        np.array([0.01, 0.0, 0.0, 0.02]),
        np.array([9, 4, 4, 14041]),
    )
    for alternative in ALTERNATIVES:
        found = mean_p_of(value, stderr, freedom, 0.0, alternative)
        each = [
            mean_p_of(*row, 0.0, alternative)
            for row in zip(value.tolist(), stderr.tolist(), freedom.tolist(), strict=True)
        ]
        assert found.tolist() == each
    assert mean_p_of(-0.02, 0.01, 9, 0.0, "less") == pytest.approx(stats.t.cdf(-2, 9), rel=1e-10)
    assert mean_p_of(-0.02, 0.01, 9, -0.05, "greater") == pytest.approx(stats.t.sf(3, 9), rel=1e-10)
    assert mean_p_of(np.zeros((3, 1)), np.ones(4), 7).shape == (3, 4)
    assert type(mean_p_of(0.1, 0.2, 9)) is float


def exact_signs(sums, alternative):
    totals = np.array([np.dot(signs, sums) for signs in itertools.product((-1, 1), repeat=len(sums))])
    slack = 1e-9
    low, high = np.mean(totals <= sum(sums) + slack), np.mean(totals >= sum(sums) - slack)
    return {"less": low, "greater": high, "two-sided": min(1.0, 2 * min(low, high))}[alternative]


@unhurried
@given(st.lists(st.floats(-3, 3).map(lambda v: round(v, 2)), min_size=1, max_size=9), st.sampled_from(ALTERNATIVES))
def test_few_units_have_every_sign_enumerated(sums, alternative):
    assert sign_flip(sums, resamples=10, alternative=alternative) == pytest.approx(exact_signs(sums, alternative))


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_many_units_are_drawn_and_agree_with_scipys_permutations(alternative):
    listed = np.random.default_rng(4).normal(0.25, 1, 60)
    expected = stats.permutation_test(
        (listed,),
        np.sum,
        permutation_type="samples",
        alternative=alternative,
        n_resamples=20_000,
        rng=np.random.default_rng(1),
    ).pvalue
    # Of 9,999 draws one standard error of a p near 0.05 is 0.002, doubled two-sided.
    assert sign_flip(listed, alternative=alternative) == pytest.approx(expected, abs=0.02)


def test_the_seed_settles_the_draws():
    listed = np.random.default_rng(4).normal(0.2, 1, 60)
    assert sign_flip(listed, seed=1) == sign_flip(listed, seed=1) != sign_flip(listed, seed=2)


def test_thirteen_units_are_exact_where_resamples_allow():
    listed = np.random.default_rng(4).normal(0.5, 1, 13)
    assert sign_flip(listed) == pytest.approx(exact_signs(listed, "two-sided"))
    assert sign_flip(listed, resamples=2000) != sign_flip(listed)


def test_signs_are_flipped_by_the_cluster():
    listed, clusters = [-1.0] * 10, ["a"] * 5 + ["b"] * 5
    assert sign_flip(listed, clusters, alternative="less") == 1 / 4
    assert sign_flip(listed, alternative="less") == 1 / 1024


def test_no_difference_at_all_is_no_evidence():
    assert sign_flip([0.0] * 5) == 1.0
    assert sign_flip([1.0, -1.0], ["a", "a"]) == 1.0
    assert sign_flip([0.0] * 500 + [-1.0], alternative="less") == 0.5


def test_memory_is_bounded_whatever_the_documents(monkeypatch):
    listed = np.random.default_rng(4).normal(0.1, 1, 50)
    whole = sign_flip(listed)
    monkeypatch.setattr("harness.stats.paired.real.AT_ONCE", 1000)
    assert sign_flip(listed) == whole


@pytest.mark.parametrize("listed", [[math.nan, 1.0], [], [[1.0, 2.0]], [math.inf]])
def test_what_is_no_column_of_numbers_is_refused(listed):
    for tested in (paired_mean, sign_flip):
        with pytest.raises(ValueError, match=r"differences|values"):
            tested(listed)


@pytest.mark.parametrize("weights", [[1, 2, 3], [0, 0], [-1, 2], [math.nan, 1]])
def test_weights_are_one_a_document_and_not_all_0(weights):
    with pytest.raises(ValueError, match="weights"):
        paired_mean([1.0, 2.0], weights=weights)


def test_errors_and_degrees_are_finite_and_not_negative():
    for wrong in ((math.nan, 1.0, 5), (0.0, -1.0, 5), (0.0, math.inf, 5), (0.0, 1.0, -1)):
        with pytest.raises(ValueError, match="finite"):
            mean_p_of(*wrong)
    with pytest.raises(ValueError, match="confidence"):
        mean_interval(paired_mean([1.0, 2.0]), 95)
