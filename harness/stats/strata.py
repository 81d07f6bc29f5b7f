"""A weighted mean over strata: parts that are always there, such as MMLU's subjects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.stats.estimate import Estimate
from harness.stats.intervals import student_interval


@dataclass(frozen=True)
class StratumMean:
    """A stratum's share of the group, and the mean of `n` of its documents."""

    weight: float
    value: float
    stderr: float | None
    """None for a single document."""
    n: int


def stratified_estimate(value: float, strata: Sequence[StratumMean], unit_interval: bool) -> Estimate:
    """The weighted mean `value` with variance Σ W²·stderr² (Cochran, Sampling Techniques, 3rd ed., eq. 5.7).

    Strata of one document have no variance of their own: they are collapsed into one and take the variance among them, which
    errs on the large side (Cochran, section 5A.12). A single one among others takes that of all strata's values.
    """
    n = sum(stratum.n for stratum in strata)
    variance = _variance(strata)
    if variance is None or n < 2:
        return Estimate(value)
    singles = sum(stratum.stderr is None for stratum in strata)
    freedom = sum(stratum.n - 1 for stratum in strata) + max(0, singles - 1)
    return student_interval(value, math.sqrt(variance), n, max(1, freedom), unit_interval)


def stratified_whole_stderr(strata: Sequence[StratumMean], totals: Sequence[int]) -> float | None:
    """The error of the weighted mean as an estimate of all documents, of which each stratum has its `totals`. Eq. 5.7."""
    if all(stratum.n >= total for stratum, total in zip(strata, totals, strict=True)):
        return 0.0
    shrunk = [
        StratumMean(s.weight * math.sqrt(max(0.0, 1 - s.n / total)), s.value, s.stderr, s.n)
        for s, total in zip(strata, totals, strict=True)
    ]
    variance = _variance(shrunk)
    return None if variance is None else math.sqrt(variance)


def _variance(strata: Sequence[StratumMean]) -> float | None:
    """The variance of the weighted mean, singles collapsed; None where there is nothing to tell it by."""
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
