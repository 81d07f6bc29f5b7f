import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support.estimates import estimate_by_bootstrap, estimate_of_mean, estimate_of_ratio

from harness.stats.constants import Z
from harness.stats.estimate import Estimate
from harness.stats.intervals import wilson_interval
from harness.stats.power import detectable_difference
from harness.stats.ratio_of_sums import exponential, scaled
from harness.stats.strata import StratumMean, stratified_estimate

finite = st.floats(-1e3, 1e3)


@given(st.lists(finite, min_size=2, max_size=50))
def test_mean_and_stderr_equal_scipys(values):
    made = estimate_of_mean(values)
    # abs: fp64 sums of 50 values up to 1e3 round by 1e-11 at most; the estimate may be 0.
    assert made.value == pytest.approx(np.mean(values), abs=1e-9)
    assert made.stderr == pytest.approx(stats.sem(values), abs=1e-9)


@given(st.integers(0, 60), st.integers(1, 60))
def test_wilson_interval_equals_scipys(correct, more):
    n = correct + more
    expected = stats.binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(correct / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_perfect_score_still_has_an_interval():
    made = estimate_of_mean([1] * 40)
    assert made.stderr == 0
    assert made.lower < 1 == made.upper


def test_one_document_has_no_error_and_a_right_or_wrong_one_wilsons_interval():
    assert estimate_of_mean([0.5]) == Estimate(0.5)
    assert estimate_of_mean([1]) == Estimate(1.0, None, *wilson_interval(1.0, 1))
    assert estimate_of_mean([1, 1, 0], [7, 7, 7]) == Estimate(2 / 3)
    assert estimate_of_ratio([(-1.0, 2.0)]).stderr is None


@given(st.lists(finite, min_size=2, max_size=30))
def test_ratio_with_equal_weights_is_the_mean(values):
    made, mean = estimate_of_ratio([(v, 1.0) for v in values]), estimate_of_mean([v + 0.5 for v in values])
    # abs: as above
    assert made.value == pytest.approx(mean.value - 0.5, abs=1e-9)
    assert made.stderr == pytest.approx(mean.stderr, abs=1e-9)


def test_ratio_error_is_near_the_bootstrap():
    dice = np.random.default_rng(7)
    weight = dice.integers(20, 400, 200).astype(float)
    total = -2.0 * weight + dice.normal(0, 25, 200)
    picks = dice.integers(0, 200, (4000, 200))
    bootstrap = (total[picks].sum(1) / weight[picks].sum(1)).std()
    # One standard error of a spread of 4,000 is 1.1 %.
    assert estimate_of_ratio(list(zip(total, weight, strict=True))).stderr == pytest.approx(bootstrap, rel=0.06)


def test_perplexity_interval_is_that_of_its_logarithm():
    made = exponential(estimate_of_ratio([(-20.0, 10.0), (-33.0, 12.0), (-9.0, 6.0)]))
    inner = estimate_of_ratio([(-20.0, 10.0), (-33.0, 12.0), (-9.0, 6.0)])
    assert (made.lower, made.upper) == (math.exp(-inner.upper), math.exp(-inner.lower))
    assert made.lower < made.value < made.upper


def test_a_negative_factor_swaps_the_ends():
    made = scaled(Estimate(2.0, 0.5, 1.02, 2.98), -3)
    assert made.lower < made.value == -6 < made.upper
    assert made.stderr == 1.5


def test_detectable_difference_of_mmlu_is_the_known_figure():
    # evaluation literature: MMLU at 69.5 %, n = 14,042, unpaired: 1.54 points
    assert 100 * detectable_difference(14042, 0.695) == pytest.approx(1.54, abs=0.005)  # two decimals
    assert detectable_difference(0) is None
    assert pytest.approx(1.959964, abs=1e-6) == Z


clustered = st.lists(st.tuples(finite, st.integers(0, 6)), min_size=2, max_size=40).filter(
    lambda rows: len({cluster for _, cluster in rows}) > 1
)


@given(clustered)
def test_clustered_stderr_equals_the_pairwise_definition(rows):
    values, clusters = [v for v, _ in rows], [c for _, c in rows]
    mean, count = np.mean(values), len(set(clusters))
    pairs = sum(
        (values[i] - mean) * (values[j] - mean)
        for i in range(len(rows))
        for j in range(len(rows))
        if clusters[i] == clusters[j]
    )
    brute = math.sqrt(max(0.0, count / (count - 1) * pairs)) / len(rows)
    assert estimate_of_mean(values, clusters).stderr == pytest.approx(brute, abs=1e-5)  # √ of sums of (1e3)² in fp64


@given(st.lists(finite, min_size=2, max_size=40))
def test_clusters_of_one_document_change_nothing(values):
    alone = estimate_of_mean(values, list(range(len(values))))
    assert alone.stderr == pytest.approx(estimate_of_mean(values).stderr, rel=1e-9)


def test_copies_of_a_document_add_nothing():
    """Every document ten times over, in clusters of ten: the error of the ten copies is that of one each."""
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    copies = estimate_of_mean(values * 10, list(range(7)) * 10)
    assert copies.stderr == pytest.approx(estimate_of_mean(values).stderr)
    alone = estimate_of_mean(values * 10)
    assert copies.upper - copies.lower > 2.5 * (alone.upper - alone.lower)


def test_real_values_have_students_interval():
    values = [3.0, 4.5, -1.0, 2.0]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    made = estimate_of_mean(values)
    assert (made.lower, made.upper) == pytest.approx((low, high))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_the_interval_of_a_share_never_leaves_0_to_1_nor_shuts_the_value_out(values):
    made = estimate_of_mean(values, unit_interval=True)
    assert 0 <= made.lower <= made.value + 1e-12
    assert made.value - 1e-12 <= made.upper <= 1


def test_equal_shares_still_have_an_interval():
    made = estimate_of_mean([0.25] * 12, unit_interval=True)
    assert made.stderr == pytest.approx(0)
    assert made.lower < 0.15 < 0.35 < made.upper


def test_wilson_at_the_effective_size_covers_a_real_valued_share():
    """Of 400 samples of 40 rates with mean 0.1, about 95 % of the intervals hold it."""
    dice = np.random.default_rng(3)
    made = [estimate_of_mean(list(dice.beta(0.3, 2.7, 40)), unit_interval=True) for _ in range(400)]
    assert 0.92 <= np.mean([m.lower <= 0.1 <= m.upper for m in made]) <= 0.98


def strata(groups):
    n = sum(map(len, groups))
    made = [(estimate_of_mean(group), group) for group in groups]
    return [StratumMean(len(group) / n, m.value, m.stderr, len(group)) for m, group in made]


@given(st.lists(st.lists(finite, min_size=2, max_size=8), min_size=1, max_size=6))
def test_stratified_stderr_equals_the_textbook_sum(groups):
    n = sum(map(len, groups))
    brute = math.sqrt(sum((len(g) / n) ** 2 * np.var(g, ddof=1) / len(g) for g in groups))
    made = stratified_estimate(0.0, strata(groups), unit_interval=False)
    assert made.stderr == pytest.approx(brute, rel=1e-6, abs=1e-9)


def test_strata_of_one_document_are_collapsed_into_one():
    values = [0.0, 1.0, 1.0, 0.0, 1.0]
    made = stratified_estimate(0.6, strata([[v] for v in values]), unit_interval=True)
    assert made.stderr == pytest.approx(estimate_of_mean(values).stderr)
    assert 0 < made.lower < 0.6 < made.upper < 1


def test_a_single_stratum_of_one_document_has_no_error():
    assert stratified_estimate(1.0, strata([[1.0]]), unit_interval=True).stderr is None


def test_bootstrap_stderr_is_a_standard_deviation_and_equals_the_closed_form_for_a_mean():
    values = list(np.random.default_rng(5).normal(2, 3, 150))
    made, mean = estimate_by_bootstrap(values, np.mean), estimate_of_mean(values)
    assert made.value == pytest.approx(mean.value)
    # A bootstrap of 1,000 has a standard error of 1/√2,000 = 2.2 %, its quantiles about three times that of a stderr of 0.25.
    assert made.stderr == pytest.approx(mean.stderr, rel=0.08)
    assert (made.lower, made.upper) == pytest.approx((mean.lower, mean.upper), abs=0.12)
    assert made == estimate_by_bootstrap(values, np.mean)
