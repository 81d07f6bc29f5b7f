"""From lm-eval's answered requests to a task's numbers: its filters, its `process_results`, its aggregation."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from harness.lmeval.chance import chance_of, group_chance
from harness.lmeval.encoding import window_of
from harness.lmeval.estimates import Size, clusters_of, in_all, noise_of, statistics_of, strata_of, value_of
from harness.lmeval.gold import document_facts
from harness.lmeval.loading.tasks import LoadedTask
from harness.lmeval.prompts import Document
from harness.records.asked import asked
from harness.records.record import MetricScore


def higher_is_better(metric: str) -> bool | None:
    """Whether more is better by lm-eval's own table; None for a metric that it does not know."""
    from lm_eval.api import metrics as _metrics  # fills the table
    from lm_eval.api.registry import is_higher_better

    assert _metrics
    return is_higher_better(metric)


def score_task(
    loaded: LoadedTask, documents: Sequence[Document], total: int | None = None
) -> tuple[list[MetricScore], list[dict[str, Any]]]:
    """Score the answered requests (each instance's `resps` filled): the task's numbers, and a row a document and metric.

    lm-eval does the judging, so the numbers are its own; ours is only what errors and intervals are derived from. `total` is
    the number of documents that the task has in all, those given where it is None. Raises what a task's own code raises.
    """
    task = loaded.task
    task._instances = [instance for document in documents for instance in document.instances]
    task.apply_filters()
    values: dict[tuple[str, str], list[Any]] = defaultdict(list)
    rows: list[dict[str, Any]] = []
    windowed = window_of(loaded) is not None  # a document's value then is a list: an observation a window
    own = [_columns(task, *pair) for pair in zip(documents, document_facts(loaded, documents), strict=True)]
    for name in task.instances[0].filtered_resps:
        for document, columns in zip(documents, own, strict=True):
            filtered = [instance.filtered_resps[name] for instance in document.instances]
            for metric, value in task.process_results(document.doc, filtered).items():
                windows = windowed and isinstance(value, list)
                values[metric, name] += value if windows else [value]
                whole = tuple(map(sum, zip(*value, strict=True))) if windows else value
                rows.append(columns | _judged(name, metric, whole, filtered))
    whole = total or len(documents)
    return [_metric_score(loaded, *key, items, documents, whole) for key, items in values.items()], rows


def score_group(group: Any, scores: Mapping[str, Sequence[MetricScore]], size: Size = in_all) -> list[MetricScore]:
    """The numbers of an lm-eval group from those of its leaf tasks, by lm-eval's own weighting.

    A leaf's weight is its `size`: the number of its documents in all, so that a limited run estimates the same mean as a whole
    one. Of a group that aggregates by a function of its own neither error nor chance is known.
    """
    leaves = {
        task: {
            "sample_len": max(map(size, listed), default=0),
            **{f"{s.metric},{s.filter}": s.value for s in listed if s.value is not None},
        }
        for task, listed in scores.items()
    }
    found: Mapping[str, Any] = group.aggregate(leaves)
    weighted = {entry.metric: bool(entry.weight_by_size) for entry in group.aggregate_metric_list or ()}
    own = {entry.metric for entry in group.aggregate_metric_list or () if entry.aggregation != "mean"}
    made: list[MetricScore] = []
    for key in [key for key in found if "," in key and "_stderr," not in key]:
        metric, name = key.split(",", 1)
        below = [s for listed in scores.values() for s in listed if (s.metric, s.filter) == (metric, name)]
        value, by_size = float(found[key]), weighted.get(metric, True)
        made.append(
            MetricScore(
                metric=metric,
                filter=name,
                value=value if math.isfinite(value) else None,
                n=sum(s.n for s in below),
                total=None if any(s.total is None for s in below) else sum(s.total or 0 for s in below),
                statistics=None if metric in own else strata_of(by_size, below, size),
                higher_is_better=_common([s.higher_is_better for s in below]),
                chance=None if metric in own else group_chance(below, by_size, size),
            )
        )
    return made


def _metric_score(
    loaded: LoadedTask, metric: str, name: str, items: list[Any], documents: Sequence[Document], total: int
) -> MetricScore:
    clusters = clusters_of(loaded, documents)
    aggregate = loaded.task.aggregation().get(metric)
    value = value_of(aggregate, items)
    by_document = len(items) == len(documents)
    return MetricScore(
        metric=metric,
        filter=name,
        value=value if math.isfinite(value) else None,
        n=len(items),
        clusters=len(set(clusters)) if clusters and by_document else None,
        total=total if by_document else None,
        statistics=statistics_of(metric, aggregate, items, clusters),
        noise=noise_of(loaded, metric, items) if by_document else None,
        higher_is_better=loaded.task.higher_is_better().get(metric),
        chance=chance_of(loaded, metric, documents),
    )


def _columns(task: Any, document: Document, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same in every row of a document."""
    return {
        "doc_id": document.doc_id,
        "doc_hash": document.doc_hash,
        "occurrence": document.occurrence,
        "request_hash": document.request_hash,
        "prompt_hash": document.prompt_hash,
        "target": str(task.doc_to_target(document.doc)),
        "responses": json.dumps([i.resps for i in document.instances], ensure_ascii=False, default=str),
        **asked([instance.args for instance in document.instances]),
        **facts,
    }


def _judged(name: str, metric: str, value: Any, filtered: list[Any]) -> dict[str, Any]:
    """What one filter and metric made of a document."""
    number, weight = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
    return {
        "metric": metric,
        "filter": name,
        "value": _real(number),
        "weight": _real(weight),
        "filtered": json.dumps(filtered, ensure_ascii=False, default=str),
    }


def _common(directions: list[bool | None]) -> bool | None:
    """The direction of all of them; None where they disagree, as in lm-eval."""
    return directions[0] if len(set(directions)) == 1 else None


def _real(value: Any) -> float | None:
    """A number as a float, also numpy's; None for anything else that a task may call a value."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
