"""How near a limited run is to the whole one, and what sampling and drawing add: held against simulation and definition."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.estimates import estimate_of_mean

from harness.stats.finite_sample import decoding_noise, decoding_stderr, draws_sd, repeatability_limit, whole_stderr
from harness.stats.strata import StratumMean, stratified_whole_stderr


def test_a_whole_run_leaves_nothing_but_the_sampling_of_answers():
    assert whole_stderr(0.03, 164, 164) == 0
    assert whole_stderr(0.03, 164, 164, decoding=0.004) == pytest.approx(0.004)


@given(st.floats(0.001, 1), st.integers(2, 500), st.integers(0, 500))
def test_the_error_of_the_whole_falls_as_more_is_run(stderr, n, more):
    total = n + more
    assert 0 <= whole_stderr(stderr, n, total) <= stderr
    assert whole_stderr(stderr, n, total) == pytest.approx(stderr * math.sqrt(more / total))


def test_the_error_of_the_whole_is_that_of_drawing_without_replacement():
    dice = np.random.default_rng(1)
    documents = (dice.random(300) < 0.7).astype(float)
    drawn = [dice.choice(documents, 120, replace=False) for _ in range(4000)]
    truth = np.std([d.mean() for d in drawn])
    told = np.mean([whole_stderr(estimate_of_mean(list(d)).stderr, 120, 300) for d in drawn[:200]])
    assert told == pytest.approx(truth, rel=0.05)  # of 4,000 draws: 1/√8,000 = 1.1 % is one standard error


def test_decoding_error_is_that_of_sampling_every_problem_again():
    dice = np.random.default_rng(2)
    chances = dice.random(60)
    runs = dice.binomial(10, chances, (4000, 60)) / 10
    told = np.sqrt(np.mean([decoding_stderr(decoding_noise(list(run), 10), 60) ** 2 for run in runs[:300]]))
    assert told == pytest.approx(runs.mean(1).std(), rel=0.05)  # of 4,000 runs: one standard error is 1.1 %
    assert decoding_stderr(decoding_noise([0.0, 1.0], 1), 2) is None
    assert decoding_stderr(decoding_noise([0.0, 1.0], 20), 2) == 0


def test_strata_shrink_each_by_its_own_part():
    """Two strata of 100 and 10, ten of each run: the second is whole and adds nothing."""
    large, small = StratumMean(100 / 110, 0.6, 0.16, 10), StratumMean(10 / 110, 0.5, 0.17, 10)
    told = stratified_whole_stderr([large, small], [100, 10])
    assert told == pytest.approx(100 / 110 * 0.16 * math.sqrt(1 - 10 / 100))
    assert stratified_whole_stderr([large, small], [10, 10]) == 0


def test_repeatability_limit_is_the_spread_between_two_draws():
    dice = np.random.default_rng(4)
    draws = dice.normal(0.8, 0.01, 4000)
    apart = np.abs(draws[::2] - draws[1::2])
    within = np.mean(apart <= repeatability_limit(draws_sd(list(draws))))
    assert within == pytest.approx(0.95, abs=0.02)  # 2,000 pairs: one standard error is 0.005
    assert draws_sd([0.8]) is None
