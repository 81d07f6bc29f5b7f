"""Errors and intervals: small pure functions. Confidence is 95 % throughout; power is 80 %."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

CONFIDENCE = 0.95
POWER = 0.80
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
REPLICATES = 1000
"""Resamplings of a bootstrap; its seed is 0."""


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and interval, all in the metric's own unit; None where none can be given."""

    value: float
    stderr: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Stratum:
    """A part of a group that is always there, such as a subject: its share of the group, and the mean of `n` documents."""

    weight: float
    value: float
    stderr: float | None
    """None for a single document."""
    n: int


def mean_estimate(values: Sequence[float], clusters: Sequence[Hashable] = (), share: bool = False) -> Estimate:
    """The mean of documents, its standard error and its interval.

    `clusters` names each document's cluster where several documents share one. The interval is Wilson's for independent 0/1
    values (JASA 1927: it keeps its coverage at small n and near 0 and 1, where ± t·stderr collapses to a point); for other
    values that lie between 0 and 1 (`share`, or clustered 0/1) Wilson's at the effective sample size; else value ± t·stderr.
    """
    n = len(values)
    mean = math.fsum(values) / n
    units = len(set(clusters)) if clusters else n
    binary = all(v in (0, 1) for v in values)
    if units < 2:
        return Estimate(mean, None, *(wilson_interval(mean, 1) if binary and n == 1 else (None, None)))
    stderr = clustered_stderr(values, clusters or range(n))
    if binary and units == n:
        return Estimate(mean, stderr, *wilson_interval(mean, n))
    return _estimate(mean, stderr, units, units - 1, share or binary)


def clustered_stderr(values: Sequence[float], clusters: Iterable[Hashable]) -> float:
    """The error of a mean over documents of which those of one cluster may be alike.

    √(C/(C−1) · Σ_c (Σ_{i∈c} (xᵢ − x̄))²) / n for C clusters (Miller 2024, arXiv 2411.00640, eq. 4, with the usual factor for
    few clusters): the square of a cluster's sum is the sum over all its pairs. A cluster a document gives s/√n.
    """
    mean = math.fsum(values) / len(values)
    residuals: dict[Hashable, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        residuals[cluster].append(value - mean)
    count = len(residuals)
    squares = math.fsum(math.fsum(listed) ** 2 for listed in residuals.values())
    return math.sqrt(count / (count - 1) * squares) / len(values)


def stratified_estimate(value: float, strata: Sequence[Stratum], share: bool) -> Estimate:
    """A weighted mean over strata: variance Σ W²·stderr² (Cochran, Sampling Techniques, 3rd ed., eq. 5.7).

    Strata of one document have no variance of their own: they are collapsed into one and take the variance among them, which
    errs on the large side (Cochran, section 5A.12). A single one among others takes that of all strata's values.
    """
    n = sum(stratum.n for stratum in strata)
    variance = stratified_variance(strata)
    if variance is None or n < 2:
        return Estimate(value, None, None, None)
    singles = sum(stratum.stderr is None for stratum in strata)
    freedom = sum(stratum.n - 1 for stratum in strata) + max(0, singles - 1)
    return _estimate(value, math.sqrt(variance), n, max(1, freedom), share)


def stratified_variance(strata: Sequence[Stratum]) -> float | None:
    """The variance of a weighted mean over strata, singles collapsed; None where there is nothing to tell it by."""
    singles = [stratum for stratum in strata if stratum.stderr is None]
    known = math.fsum((s.weight * s.stderr) ** 2 for s in strata if s.stderr is not None)
    if not singles:
        return known
    pool = [s.value for s in (singles if len(singles) > 1 else strata)]
    if len(pool) < 2:
        return None
    mean = math.fsum(pool) / len(pool)
    spread = math.fsum((v - mean) ** 2 for v in pool) / (len(pool) - 1)
    return known + spread * math.fsum(s.weight**2 for s in singles)


def wilson_interval(p: float, n: float, quantile: float = Z) -> tuple[float, float]:
    """Wilson's score interval for a share `p` of `n` items, which may be an effective number."""
    centre = (p + quantile**2 / (2 * n)) / (1 + quantile**2 / n)
    half = quantile / (1 + quantile**2 / n) * math.sqrt(p * (1 - p) / n + quantile**2 / (4 * n * n))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))  # rounding must not shut p out


def given_stderr(value: float, stderr: float | None) -> Estimate:
    """An estimate whose standard error was computed elsewhere: value ± z·stderr."""
    if stderr is None:
        return Estimate(value, None, None, None)
    return Estimate(value, stderr, value - Z * stderr, value + Z * stderr)


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
    return _estimate(ratio, stderr, n, n - 1, share=False)


def bootstrap_estimate(
    items: Sequence[Any], aggregate: Callable[[Sequence[Any]], float], replicates: int = REPLICATES
) -> Estimate:
    """Any other aggregate: documents are resampled with replacement. stderr is the replicates' standard deviation, the
    interval their 2.5 and 97.5 percentiles (Efron 1979); None where every replicate is the same."""
    import numpy as np

    value = float(aggregate(items))
    if len(items) < 2:
        return Estimate(value, None, None, None)
    dice = np.random.default_rng(0)
    picks = dice.integers(0, len(items), (replicates, len(items)))
    made = np.array([float(aggregate([items[i] for i in row])) for row in picks])
    if made.std() == 0 or not np.isfinite(made).all():
        return Estimate(value, None, None, None)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(made, [tail, 1 - tail])
    return Estimate(value, float(made.std(ddof=1)), float(low), float(high))


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


def detectable_difference(n: int, share: float = 0.5) -> float | None:
    """The smallest true difference of two shares that two runs of `n` items each would show (two-sided, 80 % power).

    (z₀.₉₇₅ + z₀.₈)·√(2·p(1−p)/n), for runs on different documents or compared as if they were; a comparison paired by
    document sees less. `share` 0.5 is the worst case, and p(1−p) bounds the variance of any metric between 0 and 1
    (Bhatia and Davis 2000). None for n = 0.
    """
    if n == 0:
        return None
    return (Z + NormalDist().inv_cdf(POWER)) * math.sqrt(2 * share * (1 - share) / n)


def _estimate(value: float, stderr: float, units: int, freedom: int, share: bool) -> Estimate:
    """An estimate of `units` independent units: for a share Wilson's interval at the effective sample size, else ± t·stderr.

    The effective size is what independent 0/1 values would need for this stderr, value·(1−value)/stderr² (Korn and Graubard,
    Survey Methodology 1998, with Wilson's interval in place of theirs); where stderr is 0 it is the number of units.
    """
    from scipy.stats import t

    quantile = float(t.ppf(0.5 + CONFIDENCE / 2, freedom))
    if not share or not 0 <= value <= 1:
        return Estimate(value, stderr, value - quantile * stderr, value + quantile * stderr)
    effective = value * (1 - value) / stderr**2 if stderr > 0 else units
    return Estimate(value, stderr, *wilson_interval(value, effective or units, quantile))
