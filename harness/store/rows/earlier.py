"""Scores of records of schema minizoo.record/1, whose errors are frozen: derived anew where their samples tell enough.

Such a record does not say how a score was aggregated, but its value does: it is the mean of the samples' values, the ratio
of their sums, or a function of one of those, or it is something else and keeps the errors that it was written with.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.metrics.task_metadata import UNIT_INTERVAL_METRICS
from harness.records.record import MetricScore, Record
from harness.stats.finite_sample import decoding_noise
from harness.stats.means import mean_statistics
from harness.stats.ratio_of_sums import ratio_of, ratio_statistics
from harness.stats.sufficient import LeafStatistics, RecordedStatistics, TransformStatistics

Pair = tuple[float | None, float | None]


def with_statistics(record: Record, samples: Path) -> tuple[MetricScore, ...]:
    """The record's scores, frozen errors replaced by sufficient statistics from the file of samples where that can be."""
    frozen = [score for score in record.scores if isinstance(score.statistics, RecordedStatistics)]
    if not frozen or not samples.is_file():
        return record.scores
    pairs = _pairs(samples)
    return tuple(_score(record, score, pairs.get((score.metric, score.filter), [])) for score in record.scores)


def _pairs(samples: Path) -> dict[tuple[str, str], list[Pair]]:
    """(metric, filter) → (value, weight) of each document."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(samples, columns=["metric", "filter", "value", "weight"]).to_pylist()
    found: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for row in rows:
        found[row["metric"], row["filter"]].append((row["value"], row["weight"]))
    return found


def _score(record: Record, score: MetricScore, pairs: Sequence[Pair]) -> MetricScore:
    values = [value for value, _ in pairs if value is not None]
    whole = len(values) == len(pairs) == score.n  # windows are more observations than documents
    if not whole or not values or score.value is None or score.clusters is not None:
        return score
    weights = [weight for _, weight in pairs if weight is not None]
    known = _ratio(score.value, list(zip(values, weights, strict=True))) if len(weights) == len(values) else None
    if known is None and not weights:
        known = _mean(score, values)
    if known is None:
        return score
    decoding = record.decoding or {}
    sampled = score.metric == "pass@1" and decoding.get("temperature")
    noise = decoding_noise(values, decoding["n"]) if sampled else None
    return score.model_copy(update={"statistics": known, "noise": noise})


def _mean(score: MetricScore, values: Sequence[float]) -> LeafStatistics | None:
    assert score.value is not None
    mean = math.fsum(values) / len(values)
    if math.isclose(mean, score.value, rel_tol=1e-9, abs_tol=1e-12):
        return mean_statistics(values, unit_interval=score.metric in UNIT_INTERVAL_METRICS)
    if _is_exponential(mean, score.value):
        return TransformStatistics(function="exp(-x)", argument=mean, statistics=mean_statistics(values))
    return None


def _ratio(value: float, pairs: Sequence[tuple[float, float]]) -> LeafStatistics | None:
    if not math.fsum(weight for _, weight in pairs):
        return None
    ratio = ratio_of(pairs)
    if _is_exponential(ratio, value):
        return TransformStatistics(function="exp(-x)", argument=ratio, statistics=ratio_statistics(pairs))
    if math.isclose(-ratio / math.log(2), value, rel_tol=1e-9):
        return TransformStatistics(function="-x/ln 2", argument=ratio, statistics=ratio_statistics(pairs))
    return None


def _is_exponential(x: float, value: float) -> bool:
    return value > 0 and math.isclose(-x, math.log(value), rel_tol=1e-9, abs_tol=1e-12)
