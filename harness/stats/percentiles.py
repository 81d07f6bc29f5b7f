"""Percentiles that refuse: an order-statistic interval, or the number of samples that one would need.

Of n independent samples, K ~ Binomial(n, p) lie at or below the p-quantile, whatever the distribution, so
P(X₍ₗ₎ ≤ q ≤ X₍ᵤ₎) ≥ P(l ≤ K ≤ u − 1) (David & Nagaraja, Order Statistics, 3rd ed., 7.1). Where no l, u reach the
confidence, there is no interval and the percentile is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats import constants


@dataclass(frozen=True)
class Percentile:
    """The p-quantile of the samples (the smallest with at least n·p at or below it) and its interval."""

    value: float
    lower: float
    upper: float
    confidence: float


@dataclass(frozen=True)
class Refused:
    """Too few samples to state this percentile."""

    p: float
    n: int
    needed: int

    def __str__(self) -> str:
        """What it would take, and at 99 %."""
        more, confidence = minimum_samples(self.p, 0.99), 100 * constants.CONFIDENCE
        return f"p{100 * self.p:g} needs {self.needed} samples at {confidence:g} % ({more} at 99 %), there are {self.n}"


def minimum_samples(p: float, confidence: float | None = None) -> int:
    """The fewest samples whose extremes enclose the p-quantile with that confidence: 1 − pⁿ − (1−p)ⁿ ≥ confidence.

    299 for p99 at 95 %, 459 at 99 % (what MLPerf's early stopping calls its minimum at no over-latency).
    """
    confidence = confidence or constants.CONFIDENCE
    n = max(1, math.floor(math.log(1 - confidence) / math.log(max(p, 1 - p))))
    while 1 - p**n - (1 - p) ** n < confidence:
        n += 1
    return n


def percentile(samples: Sequence[float], p: float, confidence: float | None = None) -> Percentile | Refused:
    """The p-quantile with the shortest order-statistic interval around its rank, or the refusal.

    `samples` are independent: one a step or a request, never the tokens of one batch step.
    """
    confidence = confidence or constants.CONFIDENCE
    n, needed = len(samples), minimum_samples(p, confidence)
    if n < needed:
        return Refused(p, n, needed)
    ordered = np.sort(np.asarray(samples, dtype=float))
    lower, upper = _ranks(n, p, confidence)
    at = max(1, math.ceil(n * p - 1e-9))
    return Percentile(float(ordered[at - 1]), float(ordered[lower - 1]), float(ordered[upper - 1]), confidence)


def _ranks(n: int, p: float, confidence: float) -> tuple[int, int]:
    """Ranks l ≤ ⌈np⌉ ≤ u, from 1, with F(u−1) − F(l−1) ≥ confidence and u − l least; of equals the most balanced."""
    from scipy.stats import binom

    below = binom.cdf(np.arange(-1, n), n, p)  # below[k] = P(K ≤ k − 1)
    at = max(1, math.ceil(n * p - 1e-9))
    best: tuple[int, float, int, int] | None = None
    for low in range(1, at + 1):
        high = int(np.searchsorted(below, below[low] + confidence))  # the least u with below[u] − below[l] ≥ confidence
        high = max(high, at)
        if high > n:
            break
        tails = abs((1 - below[high]) - below[low])
        if best is None or (high - low, tails) < best[:2]:
            best = (high - low, float(tails), low, high)
    assert best is not None  # n ≥ minimum_samples: the extremes do it
    return best[2], best[3]
