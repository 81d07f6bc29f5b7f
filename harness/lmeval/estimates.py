"""Which error a number of a task gets: by its aggregate (mean, perplexity, anything), its unit (cluster, stratum), its kind."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

from harness.lmeval.prompts import Document
from harness.lmeval.tasks import LoadedTask
from harness.metrics.task_metadata import UNIT_INTERVAL_METRICS
from harness.records.record import MetricScore
from harness.stats.finite_sample import decoding_stderr, stratified_whole_stderr, whole_stderr
from harness.stats.intervals import (
    REPLICATES,
    Estimate,
    Stratum,
    bootstrap_estimate,
    exponential,
    mean_estimate,
    ratio_estimate,
    scaled,
    stratified_estimate,
)

SLOW_REPLICATES = 100
"""Resamplings of the aggregates that lm-eval, too, resamples this often only."""


def clusters_of(loaded: LoadedTask, documents: Sequence[Document]) -> tuple[Hashable, ...]:
    """Each document's cluster, by the column that the task's facts name; empty where none is named or the data lacks it."""
    column = loaded.facts.cluster
    if column is None or any(column not in document.doc for document in documents):
        return ()
    return tuple(str(document.doc[column]) for document in documents)


def estimate_of(metric: str, aggregate: Any, items: Sequence[Any], clusters: Sequence[Hashable]) -> Estimate:
    """lm-eval's aggregate of the items with our error. `clusters` are used where there is an item a document."""
    from lm_eval.api import metrics

    if aggregate is None or aggregate is metrics.mean:
        shared = clusters if len(clusters) == len(items) else ()
        return mean_estimate([float(item) for item in items], shared, metric in UNIT_INTERVAL_METRICS)
    if aggregate is metrics.perplexity:
        made = exponential(mean_estimate(items))
    elif aggregate is metrics.weighted_perplexity:
        made = exponential(ratio_estimate(items))
    elif aggregate is metrics.bits_per_byte:
        made = scaled(ratio_estimate(items), -1 / math.log(2))
    else:
        slow = aggregate in (metrics.bleu, metrics.chrf, metrics.ter)
        return bootstrap_estimate(items, aggregate, SLOW_REPLICATES if slow else REPLICATES)
    return Estimate(float(aggregate(items)), made.stderr, made.lower, made.upper)


def error_of_whole(
    loaded: LoadedTask, metric: str, estimate: Estimate, items: Sequence[Any], total: int
) -> dict[str, float | None]:
    """What a record says of a mean over chosen documents as an estimate of all: `whole_stderr`, and `decoding_stderr`."""
    if estimate.stderr is None or metric not in UNIT_INTERVAL_METRICS:
        return {}
    decoding = loaded.decoding or {}
    sampled = decoding.get("temperature") and metric == "pass@1"
    noise = decoding_stderr([float(item) for item in items], decoding["n"]) if sampled else None
    return {
        "whole_stderr": whole_stderr(estimate.stderr, len(items), total, noise or 0.0),
        "decoding_stderr": noise,
    }


def group_estimate(value: float, weighted: bool, below: Sequence[MetricScore]) -> tuple[Estimate, float | None]:
    """The error of a group's mean over its leaf tasks as strata, and that error once all documents are asked for.

    `weighted`: leaves count by their number of documents, as lm-eval's `weight_by_size`; else alike.
    """
    totals = [score.total or score.n for score in below]
    weights = [total / sum(totals) for total in totals] if weighted else [1 / len(below)] * len(below)
    strata = [
        Stratum(weight, score.value or 0.0, score.stderr, score.n) for weight, score in zip(weights, below, strict=True)
    ]
    made = stratified_estimate(value, strata, all(score.metric in UNIT_INTERVAL_METRICS for score in below))
    return made, None if made.stderr is None else stratified_whole_stderr(strata, totals)


def chance_of(loaded: LoadedTask, metric: str, documents: Sequence[Document]) -> float | None:
    """What guessing scores; None where that is unknown or means nothing."""
    known = loaded.facts.chance.get(metric)
    if known is not None:
        return known
    if loaded.task.OUTPUT_TYPE != "multiple_choice" or metric not in ("acc", "acc_norm", "acc_bytes"):
        return None
    if loaded.name == "truthfulqa_mc2":
        labels = [document.doc["mc2_targets"]["labels"] for document in documents]
        return sum(sum(listed) / len(listed) for listed in labels) / len(labels)
    return sum(1 / len(document.instances) for document in documents) / len(documents)


def group_chance(below: Sequence[MetricScore]) -> float | None:
    """A group's chance by its leaves' sizes; None where a leaf has none."""
    if any(score.chance is None for score in below):
        return None
    sizes = [score.total or score.n for score in below]
    return sum((score.chance or 0.0) * size for score, size in zip(below, sizes, strict=True)) / sum(sizes)
