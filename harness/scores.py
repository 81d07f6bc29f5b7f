"""From lm-eval's answered requests to a task's numbers: its filters, its `process_results`, its aggregation."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from harness import statistics
from harness.facts import facts_of
from harness.lm_tasks import LoadedTask
from harness.prompts import Document
from harness.records import MetricScore
from harness.statistics import Estimate


def score_task(loaded: LoadedTask, documents: Sequence[Document]) -> tuple[list[MetricScore], list[dict[str, Any]]]:
    """Score the answered requests (each instance's `resps` filled): the task's numbers, and a row a document and metric.

    lm-eval does the judging, so the numbers are its own; only errors and intervals are ours. Raises what a task's own
    code raises.
    """
    task = loaded.task
    task._instances = [instance for document in documents for instance in document.instances]
    task.apply_filters()
    values: dict[tuple[str, str], list[Any]] = defaultdict(list)
    rows: list[dict[str, Any]] = []
    for name in task.instances[0].filtered_resps:
        for document in documents:
            filtered = [instance.filtered_resps[name] for instance in document.instances]
            for metric, value in task.process_results(document.doc, filtered).items():
                windows = _is_windows(value)
                values[metric, name] += value if windows else [value]
                whole = tuple(map(sum, zip(*value, strict=True))) if windows else value
                rows.append(_row(task, document, name, metric, whole, filtered))
    return [_metric_score(loaded, metric, name, items, documents) for (metric, name), items in values.items()], rows


def score_group(group: Any, scores: Mapping[str, Sequence[MetricScore]]) -> list[MetricScore]:
    """The numbers of an lm-eval group from those of its leaf tasks, by lm-eval's own weighting and pooled error."""
    leaves = {
        task: {
            "sample_len": max((s.n for s in listed), default=0),
            **{f"{s.metric},{s.filter}": s.value for s in listed if s.value is not None},
            **{f"{s.metric}_stderr,{s.filter}": s.stderr if s.stderr is not None else "N/A" for s in listed},
        }
        for task, listed in scores.items()
    }
    found: Mapping[str, Any] = group.aggregate(leaves)
    made: list[MetricScore] = []
    for key in [key for key in found if "," in key and "_stderr," not in key]:
        metric, name = key.split(",", 1)
        below = [s for listed in scores.values() for s in listed if (s.metric, s.filter) == (metric, name)]
        stderr = found.get(f"{metric}_stderr,{name}")
        estimate = statistics.given_stderr(float(found[key]), None if stderr in (None, "N/A") else float(stderr))
        chance = None
        if all(s.chance is not None for s in below):
            chance = sum((s.chance or 0.0) * s.n for s in below) / sum(s.n for s in below)
        made.append(_published(metric, name, estimate, sum(s.n for s in below), below[0].higher_is_better, chance))
    return made


def _metric_score(
    loaded: LoadedTask, metric: str, name: str, items: list[Any], documents: Sequence[Document]
) -> MetricScore:
    aggregate = loaded.task.aggregation().get(metric)
    estimate = _estimate(aggregate, items)
    better = loaded.task.higher_is_better().get(metric)
    return _published(metric, name, estimate, len(items), better is not False, _chance(loaded, metric, documents))


def _estimate(aggregate: Any, items: list[Any]) -> Estimate:
    """lm-eval's aggregate of the items; the error is ours, by the kind of aggregate."""
    from lm_eval.api import metrics

    errors = {
        metrics.mean: lambda: statistics.mean_estimate(items),
        metrics.perplexity: lambda: statistics.exponential(statistics.mean_estimate(items)),
        metrics.weighted_perplexity: lambda: statistics.exponential(statistics.ratio_estimate(items)),
        metrics.bits_per_byte: lambda: statistics.scaled(statistics.ratio_estimate(items), -1 / math.log(2)),
    }
    aggregate = aggregate or metrics.mean
    value = float(aggregate(items))
    if aggregate not in errors:
        return Estimate(value, None, None, None)
    made = errors[aggregate]()
    return Estimate(value, made.stderr, made.lower, made.upper)


def _published(
    metric: str, name: str, estimate: Estimate, n: int, higher_is_better: bool, chance: float | None
) -> MetricScore:
    def finite(x: float | None) -> float | None:
        return x if x is not None and math.isfinite(x) else None

    return MetricScore(
        metric=metric,
        filter=name,
        value=finite(estimate.value),
        stderr=finite(estimate.stderr),
        lower=finite(estimate.lower),
        upper=finite(estimate.upper),
        n=n,
        higher_is_better=higher_is_better,
        chance=chance,
    )


def _chance(loaded: LoadedTask, metric: str, documents: Sequence[Document]) -> float | None:
    known = facts_of(loaded.name).chance.get(metric)
    if known is not None:
        return known
    if loaded.task.OUTPUT_TYPE != "multiple_choice" or metric not in ("acc", "acc_norm", "acc_bytes"):
        return None
    if loaded.name == "truthfulqa_mc2":
        labels = [document.doc["mc2_targets"]["labels"] for document in documents]
        return sum(sum(listed) / len(listed) for listed in labels) / len(labels)
    return sum(1 / len(document.instances) for document in documents) / len(documents)


def _row(task: Any, document: Document, name: str, metric: str, value: Any, filtered: list[Any]) -> dict[str, Any]:
    number, weight = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
    return {
        "doc_id": document.doc_id,
        "doc_hash": document.doc_hash,
        "occurrence": document.occurrence,
        "request_hash": document.request_hash,
        "prompt_hash": document.prompt_hash,
        "metric": metric,
        "filter": name,
        "value": _real(number),
        "weight": _real(weight),
        "target": str(task.doc_to_target(document.doc)),
        "responses": json.dumps([i.resps for i in document.instances], ensure_ascii=False, default=str),
        "filtered": json.dumps(filtered, ensure_ascii=False, default=str),
    }


def _is_windows(value: Any) -> bool:
    """Whether a document's value is a list of (log-likelihood, weight) pairs, each an observation of its own."""
    return isinstance(value, list) and bool(value) and all(isinstance(v, tuple) and len(v) == 2 for v in value)


def _real(value: Any) -> float | None:
    """A number as a float, also numpy's; None for anything else that a task may call a value."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
