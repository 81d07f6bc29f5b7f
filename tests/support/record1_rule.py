"""The rule of minizoo.record/1 as it was written at commit 086f72e, for the present one to be held against."""

import math
from collections import defaultdict
from statistics import NormalDist

from scipy.stats import t

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


def mean(values, clusters=(), share=False):
    """(value, stderr, lower, upper)."""
    n = len(values)
    value = math.fsum(values) / n
    units = len(set(clusters)) if clusters else n
    binary = all(v in (0, 1) for v in values)
    if units < 2:
        return (value, None, *(wilson(value, 1) if binary and n == 1 else (None, None)))
    stderr = clustered_stderr(values, clusters or range(n))
    if binary and units == n:
        return (value, stderr, *wilson(value, n))
    return _interval(value, stderr, units, units - 1, share or binary)


def clustered_stderr(values, clusters):
    value = math.fsum(values) / len(values)
    residuals = defaultdict(list)
    for x, cluster in zip(values, clusters, strict=True):
        residuals[cluster].append(x - value)
    squares = math.fsum(math.fsum(listed) ** 2 for listed in residuals.values())
    return math.sqrt(len(residuals) / (len(residuals) - 1) * squares) / len(values)


def ratio(pairs):
    n = len(pairs)
    total, weight = math.fsum(a for a, _ in pairs), math.fsum(w for _, w in pairs)
    value = total / weight
    if n < 2:
        return value, None, None, None
    stderr = math.sqrt(n / (n - 1) * math.fsum((a - value * w) ** 2 for a, w in pairs)) / weight
    return _interval(value, stderr, n, n - 1, share=False)


def exponential(estimate):
    value, stderr, lower, upper = estimate
    made = math.exp(-value)
    return (made, None, None, None) if stderr is None else (made, made * stderr, math.exp(-upper), math.exp(-lower))


def bits(estimate):
    value, stderr, lower, upper = estimate
    factor = -1 / math.log(2)
    if stderr is None:
        return value * factor, None, None, None
    return value * factor, stderr * abs(factor), *sorted((lower * factor, upper * factor))


def stratified(value, strata, share):
    """`strata`: (weight, value, stderr, n)."""
    n = sum(stratum[3] for stratum in strata)
    variance = stratified_variance(strata)
    if variance is None or n < 2:
        return value, None, None, None
    singles = sum(stratum[2] is None for stratum in strata)
    freedom = sum(stratum[3] - 1 for stratum in strata) + max(0, singles - 1)
    return _interval(value, math.sqrt(variance), n, max(1, freedom), share)


def stratified_variance(strata):
    singles = [stratum for stratum in strata if stratum[2] is None]
    known = math.fsum((weight * stderr) ** 2 for weight, _, stderr, _ in strata if stderr is not None)
    if not singles:
        return known
    pool = [stratum[1] for stratum in (singles if len(singles) > 1 else strata)]
    if len(pool) < 2:
        return None
    value = math.fsum(pool) / len(pool)
    spread = math.fsum((v - value) ** 2 for v in pool) / (len(pool) - 1)
    return known + spread * math.fsum(stratum[0] ** 2 for stratum in singles)


def whole(stderr, n, total, decoding=0.0):
    f = min(1.0, n / total)
    return math.sqrt((1 - f) * stderr**2 + f * decoding**2)


def decoding(shares, samples):
    return math.sqrt(math.fsum(p * (1 - p) for p in shares) / (samples - 1)) / len(shares)


def wilson(p, n, quantile=Z):
    centre = (p + quantile**2 / (2 * n)) / (1 + quantile**2 / n)
    half = quantile / (1 + quantile**2 / n) * math.sqrt(p * (1 - p) / n + quantile**2 / (4 * n * n))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def _interval(value, stderr, units, freedom, share):
    quantile = float(t.ppf(0.5 + CONFIDENCE / 2, freedom))
    if not share or not 0 <= value <= 1:
        return value, stderr, value - quantile * stderr, value + quantile * stderr
    effective = value * (1 - value) / stderr**2 if stderr > 0 else units
    return (value, stderr, *wilson(value, effective or units, quantile))
