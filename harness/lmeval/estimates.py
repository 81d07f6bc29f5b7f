"""What the error of a number is derived from: its aggregate (mean, perplexity, any), its unit (cluster, stratum), its kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from harness.lmeval.loading.tasks import LoadedTask
from harness.lmeval.prompts import Document
from harness.metrics.task_metadata import UNIT_INTERVAL_METRICS
from harness.records.record import MetricScore
from harness.stats import constants
from harness.stats.bootstrap import resampled_statistics
from harness.stats.finite_sample import decoding_noise
from harness.stats.means import mean_statistics
from harness.stats.ratio_of_sums import ratio_of, ratio_statistics
from harness.stats.sufficient import (
    DecodingNoise,
    LeafStatistics,
    StrataStatistics,
    Stratum,
    TransformStatistics,
)

SLOW_REPLICATES = 100
"""Resamplings of the aggregates that lm-eval, too, resamples this often only."""


def clusters_of(loaded: LoadedTask, documents: Sequence[Document]) -> tuple[Hashable, ...]:
    """Each document's cluster, by the column that the task's facts name; empty where none is named or the data lacks it."""
    column = loaded.metadata.cluster
    if column is None or any(column not in document.doc for document in documents):
        return ()
    return tuple(str(document.doc[column]) for document in documents)


def statistics_of(
    metric: str, aggregate: Callable[[Sequence[Any]], float] | None, items: Sequence[Any], clusters: Sequence[Hashable]
) -> LeafStatistics | None:
    """The sufficient statistics of lm-eval's aggregate of the items. `clusters` are used where there is an item a document.

    None where a sum is not finite, resampling does not tell, or there is no number (`bypass`).
    """
    from lm_eval.api import metrics

    if aggregate is metrics.bypass_agg:
        return None
    if aggregate is None or aggregate is metrics.mean:
        shared = clusters if len(clusters) == len(items) else ()
        made = mean_statistics([float(item) for item in items], shared, metric in UNIT_INTERVAL_METRICS)
        return made if math.isfinite(made.squares) else None
    if aggregate is metrics.perplexity:
        values = [float(item) for item in items]
        return _finite(
            TransformStatistics(
                function="exp(-x)", argument=math.fsum(values) / len(values), statistics=mean_statistics(values)
            )
        )
    if aggregate in (metrics.weighted_perplexity, metrics.bits_per_byte):
        return _finite(
            TransformStatistics(
                function="exp(-x)" if aggregate is metrics.weighted_perplexity else "-x/ln 2",
                argument=ratio_of(items),
                statistics=ratio_statistics(items),
            )
        )
    slow = aggregate in (metrics.bleu, metrics.chrf, metrics.ter)
    replicates = SLOW_REPLICATES if slow else constants.REPLICATES
    return resampled_statistics(items, aggregate, replicates, metric in UNIT_INTERVAL_METRICS)


def value_of(aggregate: Callable[[Sequence[Any]], float] | None, items: Sequence[Any]) -> float:
    """lm-eval's own number: its aggregate of the items, the mean where a task names none.

    NaN for `bypass`, which stands for no number at all: lm-eval prints 999.
    """
    from lm_eval.api import metrics

    if aggregate is metrics.bypass_agg:
        return math.nan
    if aggregate is None or aggregate is metrics.mean:
        return math.fsum(float(item) for item in items) / len(items)
    return float(aggregate(items))


def aggregated(
    metric: str, aggregation: str | None, items: Sequence[Any], clusters: Sequence[Hashable]
) -> tuple[float, LeafStatistics | None] | None:
    """lm-eval's aggregate of items that were read from a file, by the aggregation's name (None: the metric's usual one), and
    what its error is derived from. None where lm-eval has no such aggregation, or cannot aggregate these items."""
    from lm_eval.api import metrics as _metrics  # fills the tables
    from lm_eval.api.registry import aggregation_registry, metric_agg_registry

    assert _metrics
    table, name = (metric_agg_registry, metric) if aggregation is None else (aggregation_registry, aggregation)
    if name not in table or not items:
        return None
    aggregate = table.get(name)
    try:
        return value_of(aggregate, items), statistics_of(metric, aggregate, items, clusters)
    except Exception:  # a file may hold anything, and lm-eval's functions raise whatever it leads them to
        return None


def noise_of(loaded: LoadedTask, metric: str, items: Sequence[Any]) -> DecodingNoise | None:
    """What sampling the answers again would change; None for a task whose answers are not sampled."""
    decoding = loaded.decoding or {}
    if metric != "pass@1" or not decoding.get("temperature"):
        return None
    return decoding_noise([float(item) for item in items], decoding["n"])


Size = Callable[[MetricScore], int]
"""What a leaf task counts by in its group."""


def in_all(score: MetricScore) -> int:
    """The documents of the whole task; those that were run where nobody says how many it has."""
    return score.total or score.n


def that_were_run(score: MetricScore) -> int:
    """The documents that were run, by which lm-eval's own evaluator weighs a leaf whatever its limit."""
    return score.n


def strata_of(weighted: bool, below: Sequence[MetricScore], size: Size = in_all) -> StrataStatistics:
    """A group's leaf tasks as strata.

    `weighted`: leaves count by their `size`, as lm-eval's `weight_by_size`; else alike.
    """
    sizes = [size(score) for score in below]
    weights = [each / sum(sizes) for each in sizes] if weighted else [1 / len(below)] * len(below)
    return StrataStatistics(
        strata=tuple(
            Stratum(weight=weight, value=score.value or 0.0, n=score.n, total=in_all(score), statistics=_leaf(score))
            for weight, score in zip(weights, below, strict=True)
        ),
        unit_interval=all(score.metric in UNIT_INTERVAL_METRICS for score in below),
    )


def _leaf(score: MetricScore) -> LeafStatistics | None:
    if isinstance(score.statistics, StrataStatistics):
        raise TypeError(f"{score.metric} is a group's, not a task's")
    return score.statistics


def _finite(made: TransformStatistics) -> TransformStatistics | None:
    return made if math.isfinite(made.argument) and math.isfinite(made.statistics.squares) else None
