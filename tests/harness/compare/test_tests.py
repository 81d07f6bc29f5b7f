"""Which test a row gets, and that its numbers are those of scipy and of the definitions."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.compare.aggregates import BITS, MEAN, PERPLEXITY
from harness.compare.evidence import Evidence
from harness.compare.tested import PERMUTED
from harness.compare.tested import tested as measured
from harness.stats.paired.binary import difference_interval
from harness.stats.paired.power import paired_power

RNG = np.random.default_rng(5)
BITS_VALUES = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=60)


def evidence(a, b, way=MEAN, weights=None, clusters=None):
    n = len(a)
    weights = np.ones(n) if weights is None else np.asarray(weights, float)
    return Evidence(
        way=way, a=np.asarray(a, float), b=np.asarray(b, float), weights=weights / weights.sum(),
        clusters=None if clusters is None else np.array(clusters, dtype=object),
        gold_a=np.full(n, np.nan), gold_b=np.full(n, np.nan), task=np.full(n, "t", dtype=object),
        position=np.full(n, -1), length=np.full(n, -1), place_a=np.arange(n), place_b=np.arange(n), sources={},
    )  # fmt: skip


@given(BITS_VALUES)
@settings(max_examples=60, deadline=None)
def test_right_and_wrong_is_exact_mcnemar_with_tangos_interval(pairs):
    a, b = np.array(pairs).T
    found = measured(evidence(a, b), True)
    lost, gained = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
    assert (found.test, found.lost, found.gained) == ("exact McNemar", lost, gained)
    exact = stats.binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    assert found.p_value == pytest.approx(exact)
    assert (found.lower, found.upper) == pytest.approx(difference_interval(lost, gained, len(pairs), 0.95))
    assert found.difference == pytest.approx(b.mean() - a.mean())


def test_many_real_values_are_a_paired_t():
    a, b = RNG.random((2, 400))
    found, theirs = measured(evidence(a, b), True), stats.ttest_rel(b, a)
    ends = theirs.confidence_interval()
    assert found.test == "paired t"
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert (found.lower, found.upper) == pytest.approx((ends.low, ends.high))


def test_few_real_values_are_permuted_exactly():
    a, b = RNG.random((2, 9))
    theirs = stats.permutation_test((b - a,), np.mean, permutation_type="samples", n_resamples=np.inf)
    found = measured(evidence(a, b), True)
    assert found.test == "exact permutation"
    assert found.p_value == pytest.approx(theirs.pvalue)


def test_of_some_real_values_permutations_are_drawn():
    a, b = RNG.random((2, PERMUTED))
    found = measured(evidence(a, b), True)
    assert found.test == "permutation"
    assert found.p_value == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.02)


def test_right_and_wrong_by_cluster_is_the_sign_test_of_sums():
    a, b = np.array([1, 1, 1, 0, 1, 1.0]), np.array([0, 0, 1, 1, 0, 1.0])
    clusters = ["x", "x", "y", "y", "z", "w"]
    sums = [-2, 1, -1]
    totals = [sum(s * f for s, f in zip(sums, signs, strict=True)) for signs in itertools.product((1, -1), repeat=3)]
    lower = np.mean([t <= sum(sums) for t in totals])
    found = measured(evidence(a, b, clusters=clusters), True)
    assert (found.test, found.units) == ("exact sign test by cluster", 4)
    assert found.p_value == pytest.approx(min(1.0, 2 * lower))


def test_where_less_is_better_more_is_lost():
    found = measured(evidence([0, 0, 0, 1.0], [1, 1, 0, 0.0]), False)
    assert (found.lost, found.gained, found.difference) == (2, 1, 0.25)
    assert found.lower < 0.25 < found.upper
    assert found.effect == pytest.approx(-1 / 6)


@pytest.mark.parametrize(
    ("way", "number"),
    [(PERPLEXITY, lambda m: math.exp(-m)), (BITS, lambda m: -m / math.log(2))],
    ids=["perplexity", "bits"],
)
def test_a_perplexity_is_compared_by_log_likelihood_a_unit(way, number):
    words = RNG.integers(5, 40, 300)
    a, b = RNG.normal(-2, 0.3, (2, 300)) - [[0], [0.2]]
    found = measured(evidence(a, b, way, words), False)
    means = [np.average(each, weights=words) for each in (a, b)]
    assert (found.a_value, found.b_value) == pytest.approx([number(m) for m in means])
    assert found.difference == pytest.approx(number(means[1]) - number(means[0]))
    assert found.lower < found.difference < found.upper
    assert (found.test, found.lost) == ("paired t of log-likelihoods", int((b < a).sum()))
    differences, share = b - a, words / words.sum()
    residual = share * (differences - means[1] + means[0])
    stderr = math.sqrt(300 / 299 * np.sum(residual**2))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(means[1] - means[0]) / stderr, 299))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_an_interval_leaves_out_nothing_exactly_where_t_rejects(seed):
    a, b = np.random.default_rng(seed).normal([[0], [0.15]], 1, (2, 150))
    for way in (MEAN, PERPLEXITY, BITS):
        found = measured(evidence(a, b, way), True)
        assert (found.p_value < 0.05) == (not found.lower <= 0 <= found.upper)


def test_what_is_said_to_be_detectable_is_found_with_the_stated_power():
    a, b = np.ones(400), np.array([0.0] * 12 + [1.0] * 388)
    found = measured(evidence(a, b), True)
    share = max(found.detectable, 12 / 400)
    assert paired_power(400, share, found.detectable, 0.025) == pytest.approx(0.8, abs=0.01)


def test_where_nothing_changed_a_detectable_difference_is_still_told():
    same = np.array([0.0, 1.0] * 50)
    found = measured(evidence(same, same), True)
    assert (found.p_value, found.difference, found.effect) == (1.0, 0.0, None)
    assert found.lower < 0 < found.upper
    assert 0.05 < found.detectable < 0.12
    assert measured(evidence(same[:4], same[:4]), True).detectable is None
