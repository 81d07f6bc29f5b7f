"""Errors and intervals: small pure functions. Confidence is 95 % throughout; power is 80 %."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95
POWER = 0.80
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and interval, all in the metric's own unit; None where none can be given."""

    value: float
    stderr: float | None
    lower: float | None
    upper: float | None


def mean_estimate(values: Sequence[float]) -> Estimate:
    """The mean, its standard error s/√n, and an interval: Wilson's for 0/1 values, else value ± z·stderr.

    Wilson (JASA 1927) keeps its coverage at small n and near 0 and 1, where ± z·stderr collapses to a point.
    """
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return Estimate(mean, None, None, None)
    stderr = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n)
    if all(v in (0, 1) for v in values):
        return Estimate(mean, stderr, *wilson_interval(mean, n))
    return Estimate(mean, stderr, mean - Z * stderr, mean + Z * stderr)


def wilson_interval(p: float, n: int) -> tuple[float, float]:
    """Wilson's score interval for a share `p` of `n` items."""
    centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))  # rounding must not shut p out


def ratio_estimate(pairs: Sequence[tuple[float, float]]) -> Estimate:
    """Σa/Σw over documents that give (a, w) each, with the linearised error of a ratio of sums.

    stderr = √(n/(n−1) · Σ(aᵢ − R·wᵢ)²) / Σw (Cochran, Sampling Techniques, 3rd ed., eq. 6.13, no finite-population factor).
    """
    n = len(pairs)
    total, weight = math.fsum(a for a, _ in pairs), math.fsum(w for _, w in pairs)
    ratio = total / weight
    if n < 2:
        return Estimate(ratio, None, None, None)
    stderr = math.sqrt(n / (n - 1) * math.fsum((a - ratio * w) ** 2 for a, w in pairs)) / weight
    return Estimate(ratio, stderr, ratio - Z * stderr, ratio + Z * stderr)


def exponential(estimate: Estimate) -> Estimate:
    """exp(−x) of an estimate x: a perplexity of a mean log-likelihood. Interval ends map over; stderr by the delta method."""
    value = math.exp(-estimate.value)
    if estimate.stderr is None or estimate.lower is None or estimate.upper is None:
        return Estimate(value, None, None, None)
    return Estimate(value, value * estimate.stderr, math.exp(-estimate.upper), math.exp(-estimate.lower))


def scaled(estimate: Estimate, factor: float) -> Estimate:
    """`factor` times an estimate; a negative factor swaps the ends of the interval."""
    if estimate.stderr is None or estimate.lower is None or estimate.upper is None:
        return Estimate(estimate.value * factor, None, None, None)
    low, high = sorted((estimate.lower * factor, estimate.upper * factor))
    return Estimate(estimate.value * factor, estimate.stderr * abs(factor), low, high)


def given_stderr(value: float, stderr: float | None) -> Estimate:
    """An estimate whose standard error was computed elsewhere: value ± z·stderr."""
    if stderr is None:
        return Estimate(value, None, None, None)
    return Estimate(value, stderr, value - Z * stderr, value + Z * stderr)


def detectable_difference(n: int, share: float = 0.5) -> float | None:
    """The smallest true difference of two shares that two runs of `n` items each would show (two-sided, 80 % power).

    (z₀.₉₇₅ + z₀.₈)·√(2·p(1−p)/n), for runs on different documents or compared as if they were; a comparison paired by
    document sees less. `share` 0.5 is the worst case. None for n = 0.
    """
    if n == 0:
        return None
    return (Z + NormalDist().inv_cdf(POWER)) * math.sqrt(2 * share * (1 - share) / n)
