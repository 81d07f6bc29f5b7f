"""The ratio of two models' speed: exact where it can be, refused where trials are too few."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from harness.stats.ratio import FEWEST, RESAMPLES, speed_ratio, verdict

trials = st.lists(st.floats(0.5, 2.0), min_size=FEWEST, max_size=12)


def test_ratio_is_median_over_median_and_above_one_where_the_first_is_faster():
    fast, slow = [20.0, 22.0, 21.0, 30.0, 21.0, 20.5], [10.0, 10.5, 11.0, 10.5, 9.0, 10.5]
    assert speed_ratio(fast, slow, True, 0).value == 21.0 / 10.5
    times = speed_ratio([1 / v for v in fast], [1 / v for v in slow], False, 0)
    assert times.value == pytest.approx(2.0)
    assert times.lower > 1


def test_the_test_is_mann_whitneys():
    a, b = [1.0, 2.0, 3.0, 4.0, 5.0, 6.5], [2.5, 3.5, 4.5, 5.5, 6.0, 7.0]
    assert speed_ratio(a, b, True, 0).p_value == mannwhitneyu(a, b, alternative="two-sided").pvalue
    apart = speed_ratio([1.0 + i / 100 for i in range(6)], [2.0 + i / 100 for i in range(6)], True, 0)
    assert apart.p_value == pytest.approx(2 / 924)  # 2 / C(12, 6): the only order as extreme


def test_the_interval_is_that_of_the_bootstrap_written_out():
    a, b = np.array([5.0, 5.5, 6.0, 6.5, 7.0, 5.2]), np.array([3.0, 3.1, 3.2, 3.3, 3.9, 2.8])
    generator = np.random.default_rng(1)
    many = np.array([np.median(generator.choice(a, 6)) / np.median(generator.choice(b, 6)) for _ in range(40_000)])
    found = speed_ratio(a.tolist(), b.tolist(), True, 0)
    # Medians of six values are few, and quantiles of 9,999 and 40,000 resamplings step from one to the next, by 2 % at most.
    assert found.lower == pytest.approx(np.quantile(many, 0.025), rel=0.02)
    assert found.upper == pytest.approx(np.quantile(many, 0.975), rel=0.02)
    assert RESAMPLES == 9_999


@settings(max_examples=25, deadline=None)
@given(trials, trials, st.integers(0, 9))
def test_interval_holds_the_ratio_and_the_seed_settles_it(ours, theirs, seed):
    found = speed_ratio(ours, theirs, True, seed)
    assert found == speed_ratio(ours, theirs, True, seed)
    assert min(ours) / max(theirs) <= found.lower <= found.upper <= max(ours) / min(theirs)
    back = speed_ratio(theirs, ours, True, seed)
    assert back.value == pytest.approx(1 / found.value)
    assert back.p_value == pytest.approx(found.p_value)


@pytest.mark.parametrize(("ours", "theirs"), itertools.combinations_with_replacement([0, 1, FEWEST - 1], 2))
def test_too_few_trials_are_refused(ours, theirs):
    with pytest.raises(ValueError, match="6 of each are needed"):
        speed_ratio([1.0] * ours, [1.0] * theirs, True, 0)


def test_a_trial_that_took_no_time_is_refused():
    with pytest.raises(ValueError, match="no time"):
        speed_ratio([1.0] * 6, [0.0] + [1.0] * 5, False, 0)


def test_a_verdict_needs_interval_and_test():
    assert verdict(1.2, 1.1, 1.3, 0.001) == "faster"
    assert verdict(0.8, 0.7, 0.9, 0.001) == "slower"
    assert verdict(1.2, 0.9, 1.3, 0.001) == "no difference shown"
    assert verdict(1.2, 1.1, 1.3, 0.2) == "no difference shown"
