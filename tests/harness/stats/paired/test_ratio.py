"""Speed by ranks: exact against scipy and every order written out, conservative with ties."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.paired.ranks import rank_sum_chances, signed_rank_chances
from harness.stats.paired.ratio import fewest_pairs, paired_ratio, slowdown_p, unpaired_ratio

unhurried = settings(deadline=None, max_examples=50)  # a busy machine may take its time

ALTERNATIVES = ("two-sided", "less", "greater")
trials = st.lists(st.floats(0.5, 2), min_size=1, max_size=12, unique=True)
log_ratios = st.lists(st.integers(-40, 40), min_size=1, max_size=9)


def untied(values):
    return len({abs(v) for v in values}) == len(values) and 0 not in values


@unhurried
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_a_slowdown_is_wilcoxons_signed_rank(values):
    assume(untied(values))
    assert slowdown_p(values) == pytest.approx(
        stats.wilcoxon(values, alternative="less", method="exact").pvalue, rel=1e-10
    )


@unhurried
@given(log_ratios, st.integers(-20, 20))
def test_with_ties_it_is_the_largest_p_of_any_order_of_them(values, null):
    """Breaking ties at random gives an exact test; the largest p of all ways to break them errs on the safe side."""
    beyond = [v - null for v in values]
    ways = []
    for _ in range(3):
        nudge = np.random.default_rng(len(ways)).permutation(len(beyond)) * 1e-3
        moved = [(abs(b) + k) * (1 if b >= 0 else -1) for b, k in zip(beyond, nudge + 1e-6, strict=True)]
        ways.append(stats.wilcoxon(moved, alternative="less", method="exact").pvalue)
    assert slowdown_p(values, null) >= max(ways) - 1e-12


def test_a_slowdown_by_hand():
    assert slowdown_p([-0.01, -0.02, -0.03]) == 1 / 8
    assert slowdown_p([-0.03, 0.01, -0.02]) == 2 / 8
    assert slowdown_p([0.0, 0.0, 0.0]) == 1.0
    assert slowdown_p([-0.05]) == 0.5
    assert slowdown_p([-0.06, -0.07], math.log(0.95)) == 1 / 4


def test_it_goes_over_all_leading_axes_at_once():
    drawn = np.random.default_rng(2).normal(0, 1, (4, 5, 7))
    found = slowdown_p(drawn)
    assert found.shape == (4, 5)
    assert found.ravel().tolist() == [slowdown_p(row) for row in drawn.reshape(20, 7)]
    assert type(slowdown_p(drawn[0, 0])) is float


def test_of_equal_models_a_slowdown_is_seen_as_rarely_as_stated():
    drawn = np.random.default_rng(3).standard_t(2, (40_000, 10)) * 0.02
    for alpha in (0.05, 0.01):
        # Four standard errors of 40,000; the exact level is the largest multiple of 1/1024 that alpha holds
        level = signed_rank_chances(10)[signed_rank_chances(10) <= alpha].max()
        assert np.mean(slowdown_p(drawn) <= alpha) == pytest.approx(level, abs=4 * math.sqrt(alpha / 40_000))


def test_ranks_have_the_chances_of_every_order_written_out():
    sums = [sum(kept) for size in range(8) for kept in itertools.combinations(range(1, 8), size)]
    assert signed_rank_chances(7) == pytest.approx([np.mean(np.array(sums) <= w) for w in range(29)])
    orders = [sum(places) - 6 for places in itertools.combinations(range(1, 9), 3)]
    assert rank_sum_chances(3, 5) == pytest.approx([np.mean(np.array(orders) <= u) for u in range(16)])


@pytest.mark.parametrize("alpha", [0.5, 0.3, 0.05, 0.025, 1 / 64, 0.001, 0.9])
def test_with_fewer_pairs_no_p_reaches_alpha(alpha):
    fewest = fewest_pairs(alpha)
    assert slowdown_p(-np.arange(1.0, fewest + 1)) <= alpha
    assert fewest == 1 or slowdown_p(-np.arange(1.0, fewest)) > alpha


@unhurried
@given(trials, trials, st.booleans(), st.sampled_from(ALTERNATIVES))
def test_the_paired_p_is_wilcoxons(ours, theirs, higher, alternative):
    n = min(len(ours), len(theirs))
    ours, theirs = ours[:n], theirs[:n]
    gains = (np.log(ours) - np.log(theirs)) * (1 if higher else -1)
    assume(untied(gains))
    found = paired_ratio(ours, theirs, higher, 0.9, alternative)
    assert found.p_value == pytest.approx(
        stats.wilcoxon(gains, alternative=alternative, method="exact").pvalue, rel=1e-10
    )
    assert found.n == n


@unhurried
@given(trials, trials, st.booleans(), st.sampled_from(ALTERNATIVES))
def test_the_unpaired_p_is_mann_whitneys(ours, theirs, higher, alternative):
    assume(not set(ours) & set(theirs))
    a, b = (ours, theirs) if higher else ([-v for v in ours], [-v for v in theirs])
    found = unpaired_ratio(ours, theirs, higher, 0.9, alternative)
    assume(len({math.log(v) for v in ours + theirs}) == len(ours + theirs))
    assert found.p_value == pytest.approx(
        stats.mannwhitneyu(a, b, alternative=alternative, method="exact").pvalue, rel=1e-10
    )


@pytest.mark.parametrize("ratio_of", [paired_ratio, unpaired_ratio])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_interval_holds_the_ratios_that_the_test_does_not_reject(ratio_of, confidence):
    dice = np.random.default_rng(12)
    for _ in range(20):
        ours, theirs = np.exp(dice.normal(0.01, 0.02, (2, 9)))
        found = ratio_of(ours, theirs, True, confidence)
        assert found.lower < found.value < found.upper
        for factor in (found.lower * 0.9999, found.lower * 1.0001, found.upper * 0.9999, found.upper * 1.0001):
            rejected = ratio_of(ours, theirs * factor, True, confidence).p_value <= 1 - confidence
            assert rejected == (not found.lower <= factor <= found.upper)


def test_the_paired_estimate_and_interval_by_hand():
    """Log ratios 1, 2, 4 (base 2): means of two 1, 1.5, 2, 2.5, 3, 4; the median is 2.25, the outermost hold 75 %."""
    found = paired_ratio([2, 4, 16], [1, 1, 1], True, 0.75)
    assert (found.value, found.lower, found.upper) == pytest.approx((2**2.25, 2, 16))
    assert paired_ratio([2, 4, 16], [1, 1, 1], True, 0.76).lower is None


def test_the_unpaired_estimate_and_interval_by_hand():
    """Ratios of 2, 8 and 1, 4 (base 2): logs -1, 1, 1, 3; of six orders the outermost hold all but two."""
    found = unpaired_ratio([2, 8], [1, 4], True, 0.6)
    assert (found.value, found.lower, found.upper) == pytest.approx((2, 0.5, 8))
    assert unpaired_ratio([2, 8], [1, 4], True, 0.7).upper is None
    assert found.n == 2


@unhurried
@given(trials, trials)
def test_times_and_rates_of_the_same_trials_agree_and_exchange_inverts(ours, theirs):
    n = min(len(ours), len(theirs))
    ours, theirs = ours[:n], theirs[:n]
    rates = paired_ratio(ours, theirs, True, 0.8)
    times = paired_ratio([1 / v for v in ours], [1 / v for v in theirs], False, 0.8)
    back = paired_ratio(theirs, ours, True, 0.8)
    assert times.value == pytest.approx(rates.value)
    assert back.value == pytest.approx(1 / rates.value)
    if rates.lower is not None:
        assert (times.lower, times.upper) == pytest.approx((rates.lower, rates.upper))
        assert (1 / back.upper, 1 / back.lower) == pytest.approx((rates.lower, rates.upper))


def test_what_drifts_in_both_drops_out_of_neighbours_only():
    drift = np.exp(np.linspace(0, 0.5, 12))
    ours, theirs = 0.97 * drift, drift * np.exp(0.001 * np.sin(np.arange(12)))
    assert paired_ratio(ours, theirs, True).p_value < 0.001
    assert unpaired_ratio(ours, theirs, True).p_value > 0.3


def test_one_trial_more_on_a_side_is_not_used_and_two_were_not_taken_in_turn():
    assert paired_ratio([1.0, 2.0, 3.0, 9.0], [1.5, 2.5, 2.0], True) == paired_ratio(
        [1.0, 2.0, 3.0], [1.5, 2.5, 2.0], True
    )
    with pytest.raises(ValueError, match="5 trials and 3 were not taken in turn"):
        paired_ratio([1.0] * 5, [1.0] * 3, True)


def test_equal_trials_are_no_evidence():
    for ratio_of in (paired_ratio, unpaired_ratio):
        found = ratio_of([2.0] * 8, [2.0] * 8, True)
        assert (found.value, found.lower, found.upper, found.p_value) == (1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize("ratio_of", [paired_ratio, unpaired_ratio])
@pytest.mark.parametrize(
    ("wrong", "why"), [(0.0, "no time"), (-1.0, "no time"), (math.nan, "finite"), (math.inf, "finite")]
)
def test_a_trial_that_is_none_is_refused(ratio_of, wrong, why):
    with pytest.raises(ValueError, match=why):
        ratio_of([1.0, wrong], [1.0, 1.0], True)
    with pytest.raises(ValueError, match="column"):
        ratio_of([], [], True)
    with pytest.raises(ValueError, match="confidence"):
        ratio_of([1.0], [1.0], True, 1.0)


@pytest.mark.parametrize("wrong", [[], 0.1, [math.nan], np.zeros((3, 0))])
def test_a_slowdown_needs_pairs(wrong):
    with pytest.raises(ValueError, match="log ratios"):
        slowdown_p(wrong)
