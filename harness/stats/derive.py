"""The rule: from a score's sufficient statistics to its standard errors and interval. `constants.RULE_VERSION` names it."""

from __future__ import annotations

import math
from dataclasses import replace

from harness.stats import constants
from harness.stats.bootstrap import resampled_estimate
from harness.stats.estimate import Estimate, finite
from harness.stats.finite_sample import decoding_stderr, whole_stderr
from harness.stats.intervals import normal_interval
from harness.stats.means import mean_estimate
from harness.stats.ratio_of_sums import exponential, ratio_estimate, scaled
from harness.stats.strata import StratumMean, stratified_estimate, stratified_whole_stderr
from harness.stats.sufficient import (
    DecodingNoise,
    LeafStatistics,
    MeanStatistics,
    PrintedStatistics,
    RatioStatistics,
    RecordedStatistics,
    ResampledStatistics,
    Statistics,
    StrataStatistics,
    TransformStatistics,
)

RECORDED_RULE = "record/1"


def rule_of(statistics: Statistics | None) -> str:
    """The version of the rule that an estimate is made by: this one's, or that of the record where the record decides."""
    return RECORDED_RULE if isinstance(statistics, RecordedStatistics) else constants.RULE_VERSION


def derive(
    value: float | None,
    n: int,
    statistics: Statistics | None,
    total: int | None = None,
    noise: DecodingNoise | None = None,
) -> Estimate:
    """A score's estimate: `value` of `n` of the task's `total` documents. Errors that are not finite are None."""
    if value is None or statistics is None:
        return Estimate(value)
    if isinstance(statistics, RecordedStatistics):
        return Estimate(value, **statistics.model_dump(exclude={"kind"}))
    try:
        if isinstance(statistics, StrataStatistics):
            return finite(_group(value, statistics))
        return finite(_with_whole(_leaf(value, n, statistics), n, statistics, total, noise))
    except OverflowError:
        return Estimate(value)


def _leaf(value: float, n: int, statistics: LeafStatistics) -> Estimate:
    match statistics:
        case MeanStatistics():
            return mean_estimate(value, n, statistics)
        case RatioStatistics():
            return ratio_estimate(value, n, statistics)
        case TransformStatistics():
            inner = _leaf(statistics.argument, n, statistics.statistics)
            made = exponential(inner) if statistics.function == "exp(-x)" else scaled(inner, -1 / math.log(2))
            return replace(made, value=value)
        case ResampledStatistics():
            return resampled_estimate(value, statistics)
        case PrintedStatistics():
            return normal_interval(value, statistics.stderr)
        case RecordedStatistics():
            return Estimate(value, statistics.stderr, statistics.lower, statistics.upper)


def _with_whole(
    made: Estimate, n: int, statistics: LeafStatistics, total: int | None, noise: DecodingNoise | None
) -> Estimate:
    """The estimate with its error as one of all documents, for metrics between 0 and 1 that count documents."""
    bounded = isinstance(statistics, MeanStatistics | ResampledStatistics) and statistics.unit_interval
    if made.stderr is None or total is None or not bounded:
        return made
    decoding = decoding_stderr(noise, n) if noise else None
    whole = whole_stderr(made.stderr, n, total, decoding or 0.0)
    return replace(made, whole_stderr=whole, decoding_stderr=decoding)


def _group(value: float, statistics: StrataStatistics) -> Estimate:
    strata = [StratumMean(s.weight, s.value, derive(s.value, s.n, s.statistics).stderr, s.n) for s in statistics.strata]
    made = stratified_estimate(value, strata, statistics.unit_interval)
    if made.stderr is None:
        return made
    return replace(made, whole_stderr=stratified_whole_stderr(strata, [s.total for s in statistics.strata]))
