import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.statistics import (
    Z,
    detectable_difference,
    exponential,
    given_stderr,
    mean_estimate,
    ratio_estimate,
    scaled,
    wilson_interval,
)

finite = st.floats(-1e3, 1e3)


@given(st.lists(finite, min_size=2, max_size=50))
def test_mean_and_stderr_equal_scipys(values):
    made = mean_estimate(values)
    assert made.value == pytest.approx(np.mean(values), abs=1e-9)
    assert made.stderr == pytest.approx(stats.sem(values), abs=1e-9)


@given(st.integers(0, 60), st.integers(1, 60))
def test_wilson_interval_equals_scipys(correct, more):
    n = correct + more
    expected = stats.binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(correct / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_perfect_score_still_has_an_interval():
    made = mean_estimate([1] * 40)
    assert made.stderr == 0
    assert made.lower < 1 == made.upper


def test_one_document_has_no_error():
    assert mean_estimate([0.5]).stderr is None
    assert ratio_estimate([(-1.0, 2.0)]).stderr is None


@given(st.lists(finite, min_size=2, max_size=30))
def test_ratio_with_equal_weights_is_the_mean(values):
    made, mean = ratio_estimate([(v, 1.0) for v in values]), mean_estimate([v + 0.5 for v in values])
    assert made.value == pytest.approx(mean.value - 0.5, abs=1e-9)
    assert made.stderr == pytest.approx(mean.stderr, abs=1e-9)


def test_ratio_error_is_near_the_bootstrap():
    dice = np.random.default_rng(7)
    weight = dice.integers(20, 400, 200).astype(float)
    total = -2.0 * weight + dice.normal(0, 25, 200)
    picks = dice.integers(0, 200, (4000, 200))
    bootstrap = (total[picks].sum(1) / weight[picks].sum(1)).std()
    assert ratio_estimate(list(zip(total, weight, strict=True))).stderr == pytest.approx(bootstrap, rel=0.06)


def test_perplexity_interval_is_that_of_its_logarithm():
    made = exponential(ratio_estimate([(-20.0, 10.0), (-33.0, 12.0), (-9.0, 6.0)]))
    inner = ratio_estimate([(-20.0, 10.0), (-33.0, 12.0), (-9.0, 6.0)])
    assert (made.lower, made.upper) == (math.exp(-inner.upper), math.exp(-inner.lower))
    assert made.lower < made.value < made.upper


def test_a_negative_factor_swaps_the_ends():
    made = scaled(given_stderr(2.0, 0.5), -3)
    assert made.lower < made.value == -6 < made.upper
    assert made.stderr == 1.5


def test_detectable_difference_of_mmlu_is_the_known_figure():
    # evaluation literature: MMLU at 69.5 %, n = 14,042, unpaired: 1.54 points
    assert 100 * detectable_difference(14042, 0.695) == pytest.approx(1.54, abs=0.005)
    assert detectable_difference(0) is None
    assert pytest.approx(1.959964, abs=1e-6) == Z
