"""The winner against the median candidate over seeds: Student's interval, and what too few seeds say."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from zoo.search.stages.confirming import Pair, seeds_needed, summed

GAPS = st.lists(st.floats(-0.5, 0.5).map(lambda gap: round(gap, 6)), min_size=2, max_size=9, unique=True)


def pairs(gaps):
    return [Pair(number, 1.0 + gap, 1.0, gap, gap, gap) for number, gap in enumerate(gaps)]


@settings(deadline=None, max_examples=50)
@given(GAPS)
def test_the_interval_is_students_over_the_paired_seeds(gaps):
    found = summed(pairs(gaps), 3, 60, 0.95)
    expected = stats.ttest_1samp(gaps, 0).confidence_interval(0.95)
    assert found.lower == pytest.approx(expected.low, abs=1e-9)
    assert found.upper == pytest.approx(expected.high, abs=1e-9)
    resolved = found.verdict != "not resolved"
    assert resolved == (found.lower > 0 or found.upper < 0)
    assert (found.verdict == "confirmed") == (found.upper < 0)


@settings(deadline=None, max_examples=50)
@given(GAPS)
def test_with_the_seeds_that_it_says_it_needs_the_same_gaps_are_resolved(gaps):
    mean, spread = stats.describe(gaps).mean, stats.describe(gaps).variance ** 0.5
    needed = seeds_needed(mean, spread, 0.95)
    assume(needed is not None)
    half = stats.t.ppf(0.975, needed - 1) * spread / needed**0.5
    assert half < abs(mean)
    if needed > 2:
        assert stats.t.ppf(0.975, needed - 2) * spread / (needed - 1) ** 0.5 >= abs(mean)


def test_one_seed_has_no_interval_and_says_so():
    found = summed(pairs([-0.1]), 3, 60, 0.95)
    assert (found.lower, found.verdict) == (None, "not resolved")
    assert "no interval over seeds" in found.told


def test_what_is_not_resolved_says_how_many_seeds_would_do():
    found = summed(pairs([-0.03, 0.01]), 3, 60, 0.95)
    assert found.verdict == "not resolved"
    assert f"About {seeds_needed(-0.01, 0.0282842712, 0.95)} seeds" in found.told


def test_a_training_that_diverged_is_named():
    assert "Candidate 2 diverged" in summed([], 3, 60, 0.95, ["Candidate 2 diverged by seed 1000: NaN"]).told
