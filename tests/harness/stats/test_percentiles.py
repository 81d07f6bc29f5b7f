"""Percentiles by order statistics: exact coverage, and refusal below the least n that has any."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from harness.stats.percentiles import Percentile, Refused, _ranks, minimum_samples, percentile


@pytest.mark.parametrize(
    ("p", "confidence", "n"), [(0.99, 0.95, 299), (0.99, 0.99, 459), (0.5, 0.95, 6), (0.9, 0.95, 29), (0.9, 0.99, 44),
                               (0.95, 0.99, 90), (0.999, 0.99, 4603)]
)  # fmt: skip
def test_the_least_number_of_samples_is_the_known_one(p, confidence, n):
    assert minimum_samples(p, confidence) == n


def test_percentile_with_too_few_samples_is_refused():
    refused = percentile(range(298), 0.99)
    assert isinstance(refused, Refused)
    assert str(refused) == "p99 needs 299 samples at 95 % (459 at 99 %), there are 298"
    assert isinstance(percentile(range(299), 0.99), Percentile)
    assert isinstance(percentile(range(458), 0.99, 0.99), Refused)
    assert isinstance(percentile(range(459), 0.99, 0.99), Percentile)


@pytest.mark.parametrize(("n", "p"), [(6, 0.5), (11, 0.5), (29, 0.9), (40, 0.9), (25, 0.3)])
def test_the_interval_is_the_shortest_that_covers_by_brute_force(n, p):
    at = -(-n * p // 1)
    covering = [
        (high - low) for low, high in product(range(1, n + 1), repeat=2)
        if low <= at <= high and sum(binom.pmf(k, n, p) for k in range(low, high)) >= 0.95
    ]  # fmt: skip
    lower, upper = _ranks(n, p, 0.95)
    assert upper - lower == min(covering)
    assert sum(binom.pmf(k, n, p) for k in range(lower, upper)) >= 0.95


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=6, max_size=400), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_percentile_lies_inside_its_interval_and_does_not_depend_on_order(samples, p):
    found = percentile(samples, p)
    assert found == percentile(samples[::-1], p)
    if isinstance(found, Percentile):
        assert found.lower <= found.value <= found.upper
        assert sum(x <= found.value for x in samples) >= len(samples) * p - 1e-6
