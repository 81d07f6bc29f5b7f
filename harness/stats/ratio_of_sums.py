"""Σa/Σw over documents, and functions of it: perplexities, bits a byte."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.stats.estimate import Estimate
from harness.stats.intervals import student_interval
from harness.stats.sufficient import RatioStatistics


def ratio_of(pairs: Sequence[tuple[float, float]]) -> float:
    """Σa/Σw of (a, w) pairs."""
    return math.fsum(a for a, _ in pairs) / math.fsum(w for _, w in pairs)


def ratio_statistics(pairs: Sequence[tuple[float, float]]) -> RatioStatistics:
    """The sums of documents that give (a, w) each."""
    ratio = ratio_of(pairs)
    return RatioStatistics(
        weight=math.fsum(w for _, w in pairs), squares=math.fsum((a - ratio * w) ** 2 for a, w in pairs)
    )


def ratio_estimate(ratio: float, n: int, known: RatioStatistics) -> Estimate:
    """The ratio with the linearised error of a ratio of sums; none for one document.

    stderr = √(n/(n−1) · Σ(aᵢ − R·wᵢ)²) / Σw (Cochran, Sampling Techniques, 3rd ed., eq. 6.13, no finite-population factor).
    """
    if n < 2:
        return Estimate(ratio)
    stderr = math.sqrt(n / (n - 1) * known.squares) / known.weight
    return student_interval(ratio, stderr, n, n - 1, unit_interval=False)


def exponential(estimate: Estimate) -> Estimate:
    """exp(−x) of an estimate x: a perplexity of a mean log-likelihood. Interval ends map over; stderr by the delta method."""
    if estimate.value is None:
        return Estimate(None)
    value = math.exp(-estimate.value)
    if estimate.stderr is None or estimate.lower is None or estimate.upper is None:
        return Estimate(value)
    return Estimate(value, value * estimate.stderr, math.exp(-estimate.upper), math.exp(-estimate.lower))


def scaled(estimate: Estimate, factor: float) -> Estimate:
    """`factor` times an estimate; a negative factor swaps the ends of the interval."""
    if estimate.value is None:
        return Estimate(None)
    if estimate.stderr is None or estimate.lower is None or estimate.upper is None:
        return Estimate(estimate.value * factor)
    low, high = sorted((estimate.lower * factor, estimate.upper * factor))
    return Estimate(estimate.value * factor, estimate.stderr * abs(factor), low, high)
