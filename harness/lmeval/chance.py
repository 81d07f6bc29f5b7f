"""What guessing scores: every choice of a document as likely as another. None where that is unknown or means nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.lmeval.estimates import Size, in_all
from harness.lmeval.loading.tasks import LoadedTask
from harness.lmeval.prompts import Document
from harness.records.record import MetricScore


def chance_of(loaded: LoadedTask, metric: str, documents: Sequence[Document]) -> float | None:
    """What guessing scores on these documents, in the metric's own unit: as the task's facts say, else from its choices.

    Computed where lm-eval judges a multiple choice by `CHOICES`, and for those of its tasks whose own code is known
    (`JUDGES`); always by the metric's usual aggregate, since another may be anything.
    """
    known = loaded.metadata.chance.get(metric)
    if known is not None:
        return known
    task = loaded.task
    if task.OUTPUT_TYPE != "multiple_choice" or not documents:
        return None
    judge = task.config.process_results
    if callable(judge):
        theirs = judge.__module__.startswith("lm_eval.tasks.")
        rule = JUDGES.get((judge.__name__, metric)) if theirs else None
    else:
        rule = CHOICES.get(metric) if type(task).process_results is _lm_evals_own() else None
    if rule is None or not _usual(task.aggregation().get(metric), metric):
        return None
    return math.fsum(rule(task, document.doc) for document in documents) / len(documents)


def group_chance(below: Sequence[MetricScore], weighted: bool, size: Size = in_all) -> float | None:
    """A group's chance from its leaves', with the group's own weights: their `size`, or alike; None where a leaf has none."""
    if not below or any(score.chance is None for score in below):
        return None
    sizes = [size(score) if weighted else 1 for score in below]
    return sum((score.chance or 0.0) * size for score, size in zip(below, sizes, strict=True)) / sum(sizes)


def _share_of_right(task: Any, doc: Any) -> float:
    """1 / choices for one right choice; several right ones (`doc_to_target` gives a list) count each once.

    A label that is none of the choices is never chosen. With several inputs (Winogrande) the choices are the inputs, and the
    label stands in `doc_to_text`.
    """
    choices = task.doc_to_choice(doc)
    gold = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
    if isinstance(gold, str):
        gold = choices.index(gold) if gold in choices else -1
    return _share(gold if isinstance(gold, list) else [gold], len(choices))


def _share(right: Sequence[Any], choices: int) -> float:
    return sum(place in range(choices) for place in set(right)) / choices


def _even_forecast(task: Any, doc: Any) -> float:
    """The Brier score of 1 / n on each of n choices: (1 − 1/n)² + (n − 1)/n² = 1 − 1/n."""
    return 1 - 1 / len(task.doc_to_choice(doc))


Rule = Callable[[Any, Any], float]
"""(task, document) → what guessing scores on it."""

CHOICES: Mapping[str, Rule] = {
    **dict.fromkeys(("acc", "acc_norm", "acc_bytes", "acc_mutual_info"), _share_of_right),
    "brier_score": _even_forecast,
    "mcc": lambda _task, _doc: 0.0,
}
"""Metrics of lm-eval's own multiple choice. `exact_match` (is the right ending what greedy decoding writes), F1 and
likelihoods have no such figure."""

JUDGES: Mapping[tuple[str, str], Rule] = {
    # the mass of the true answers, of which an even guess scores their share
    ("process_results_mc2", "acc"): lambda _task, doc: _mean(doc["mc2_targets"]["labels"]),
    ("process_results_mcqa", "acc"): lambda _task, doc: _share(doc["gold"], len(doc["choices"])),
    ("process_results_mcqa", "acc_norm"): lambda _task, doc: _share(doc["gold"], len(doc["choices"])),
}
"""Function of lm-eval's TruthfulQA (all its languages) and AGIEval, and metric."""


def _mean(numbers: Sequence[int]) -> float:
    return sum(numbers) / len(numbers)


def _usual(aggregate: Any, metric: str) -> bool:
    """Whether this is how the metric is usually aggregated; a mean where lm-eval has none for it."""
    import numpy as np
    from lm_eval.api import metrics
    from lm_eval.api.registry import get_metric_aggregation

    usual = get_metric_aggregation(metric)
    return aggregate in (None, usual) or (usual is metrics.mean and aggregate in (metrics.nanmean, np.mean))


def _lm_evals_own() -> Any:
    from lm_eval.api.task import ConfigurableTask

    return ConfigurableTask.process_results
