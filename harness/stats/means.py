"""A mean over documents, of which several may share a source: its sums, its standard error, its interval."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence

from harness.stats.estimate import Estimate
from harness.stats.intervals import student_interval, wilson_interval
from harness.stats.sufficient import MeanStatistics


def mean_statistics(
    values: Sequence[float], clusters: Sequence[Hashable] = (), unit_interval: bool = False
) -> MeanStatistics:
    """The sums of a mean. `clusters` names each document's unit where several documents share one."""
    mean = math.fsum(values) / len(values)
    residuals: dict[Hashable, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters or range(len(values)), strict=True):
        residuals[cluster].append(value - mean)
    return MeanStatistics(
        squares=math.fsum(math.fsum(listed) ** 2 for listed in residuals.values()),
        units=len(residuals),
        binary=all(value in (0, 1) for value in values),
        unit_interval=unit_interval,
    )


def mean_estimate(mean: float, n: int, known: MeanStatistics) -> Estimate:
    """The mean of `n` documents with its standard error and interval.

    stderr = √(C/(C−1) · Σ_c (Σ_{i∈c} (xᵢ − x̄))²) / n for C units (Miller 2024, arXiv 2411.00640, eq. 4, with the usual factor
    for few clusters): the square of a unit's sum is the sum over all its pairs, and a unit a document gives s/√n.
    The interval is Wilson's for independent 0/1 values (it keeps its coverage at small n and near 0 and 1, where ± t·stderr
    collapses to a point); for other values between 0 and 1 Wilson's at the effective sample size; else value ± t·stderr.
    One unit has no stderr; one document of 0 or 1 has Wilson's interval.
    """
    units = known.units
    if units < 2:
        return Estimate(mean, None, *(wilson_interval(mean, 1) if known.binary and n == 1 else (None, None)))
    stderr = math.sqrt(units / (units - 1) * known.squares) / n
    if known.binary and units == n:
        return Estimate(mean, stderr, *wilson_interval(mean, n))
    return student_interval(mean, stderr, units, units - 1, known.unit_interval or known.binary)
