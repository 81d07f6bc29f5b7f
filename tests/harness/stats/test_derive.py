"""What a record keeps is enough: from its sums, written and read back, come the very numbers of the values themselves."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import record1_rule as old
from support.estimates import estimate_of_mean, estimate_of_ratio, kept

from harness.stats import constants
from harness.stats.derive import RECORDED_RULE, derive, rule_of
from harness.stats.estimate import Estimate
from harness.stats.finite_sample import decoding_noise
from harness.stats.means import mean_statistics
from harness.stats.ratio_of_sums import ratio_of, ratio_statistics
from harness.stats.sufficient import (
    MeanStatistics,
    PrintedStatistics,
    RecordedStatistics,
    ResampledStatistics,
    StrataStatistics,
    Stratum,
    TransformStatistics,
)

finite = st.floats(-1e3, 1e3)
values = st.one_of(
    st.lists(finite, min_size=1, max_size=40), st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=40)
)
shares = st.lists(st.floats(0, 1), min_size=1, max_size=40)
pairs = st.lists(st.tuples(st.floats(-500, 0), st.integers(1, 400)), min_size=1, max_size=30)


def four(estimate):
    return estimate.value, estimate.stderr, estimate.lower, estimate.upper


@given(values, st.integers(1, 8))
def test_a_means_sums_give_what_its_values_gave(listed, units):
    assert four(estimate_of_mean(listed)) == old.mean(listed)
    clusters = [i % units for i in range(len(listed))]
    assert four(estimate_of_mean(listed, clusters)) == old.mean(listed, clusters)


@given(shares, st.integers(0, 100), st.integers(2, 20))
def test_a_shares_sums_give_its_error_of_the_whole_and_of_its_sampling_too(listed, more, samples):
    n, total = len(listed), len(listed) + more
    made = estimate_of_mean(listed, unit_interval=True, total=total, noise=decoding_noise(listed, samples))
    assert four(made) == old.mean(listed, share=True)
    if made.stderr is not None:
        assert made.decoding_stderr == old.decoding(listed, samples)
        assert made.whole_stderr == old.whole(made.stderr, n, total, made.decoding_stderr)
    assert estimate_of_mean(listed, unit_interval=True).whole_stderr is None
    assert estimate_of_mean(listed, total=total).whole_stderr is None


@given(pairs)
def test_a_ratios_sums_and_functions_of_it_give_what_its_pairs_gave(listed):
    assert four(estimate_of_ratio(listed)) == old.ratio(listed)
    inner = kept(ratio_statistics(listed))
    for function, transformed in (("exp(-x)", old.exponential), ("-x/ln 2", old.bits)):
        known = TransformStatistics(function=function, argument=ratio_of(listed), statistics=inner)
        try:
            expected = transformed(old.ratio(listed))
        except OverflowError:
            continue
        made = derive(expected[0], len(listed), kept(known))
        assert four(made) == tuple(x if x is None or math.isfinite(x) else None for x in expected)


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=6), min_size=1, max_size=6), st.integers(0, 9))
def test_a_groups_strata_give_what_its_leaves_gave(groups, more):
    n = sum(map(len, groups))
    totals = [len(group) + more for group in groups]
    leaves = [old.mean(group, share=True) for group in groups]
    known = StrataStatistics(
        strata=tuple(
            Stratum(weight=len(g) / n, value=leaf[0], n=len(g), total=total, statistics=mean_statistics(g, (), True))
            for g, leaf, total in zip(groups, leaves, totals, strict=True)
        ),
        unit_interval=True,
    )
    strata = [(len(g) / n, leaf[0], leaf[1], len(g)) for g, leaf in zip(groups, leaves, strict=True)]
    value = math.fsum(weight * x for weight, x, _, _ in strata)
    made = derive(value, n, kept(known))
    assert four(made) == old.stratified(value, strata, True)
    if made.stderr is not None:
        shrunk = [(w * math.sqrt(1 - k / total), x, e, k) for (w, x, e, k), total in zip(strata, totals, strict=True)]
        whole = old.stratified_variance(shrunk) if more else 0.0
        assert made.whole_stderr == pytest.approx(math.sqrt(whole))


def test_a_printed_error_gets_the_normal_interval():
    made = derive(0.5, 100, kept(PrintedStatistics(stderr=0.05)))
    assert four(made) == (0.5, 0.05, 0.5 - constants.Z * 0.05, 0.5 + constants.Z * 0.05)


def test_what_an_earlier_rule_recorded_stays_and_is_named():
    frozen = RecordedStatistics(stderr=0.1, lower=0.2, upper=0.7, whole_stderr=0.05)
    assert derive(0.5, 10, kept(frozen)) == Estimate(0.5, 0.1, 0.2, 0.7, 0.05, None)
    assert rule_of(frozen) == RECORDED_RULE == "record/1"
    assert rule_of(mean_statistics([1.0, 0.0])) == constants.RULE_VERSION


def test_another_confidence_reaches_every_kind(monkeypatch):
    kinds = [
        MeanStatistics(squares=10.0, units=40, binary=True, unit_interval=True),
        MeanStatistics(squares=10.0, units=40, binary=False, unit_interval=False),
        ResampledStatistics(
            stderr=0.1, quantiles=((0.005, 0.2), (0.025, 0.3), (0.975, 0.7), (0.995, 0.8)), replicates=9, seed=0,
            unit_interval=True,
        ),
        PrintedStatistics(stderr=0.1),
    ]  # fmt: skip
    before = [derive(0.5, 40, known) for known in kinds]
    monkeypatch.setattr(constants, "CONFIDENCE", 0.99)
    monkeypatch.setattr(constants, "Z", 2.5758293035489004)
    for narrow, known in zip(before, kinds, strict=True):
        wide = derive(0.5, 40, known)
        assert wide.lower < narrow.lower
        assert wide.upper > narrow.upper
        assert wide.stderr == narrow.stderr


@pytest.mark.parametrize("value", [None, 0.5])
def test_a_score_without_a_value_or_statistics_has_no_error(value):
    known = mean_statistics([0.0, 1.0]) if value is None else None
    assert derive(value, 2, known) == Estimate(value)


def test_errors_that_are_not_finite_are_none():
    known = TransformStatistics(function="exp(-x)", argument=-709.0, statistics=mean_statistics([-1400.0, -18.0]))
    assert derive(math.exp(709), 2, known).upper is None
