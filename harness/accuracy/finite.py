"""A number that is none is never a score: answers that are NaN or infinite, told apart as they arrive from any backend."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

from backends.contract import Backend, ScoreRequest
from harness.accuracy.plan import TaskPlan
from harness.lmeval.encoding import Unit, UnitKey
from harness.lmeval.finite import remedy
from harness.lmeval.responses import Answer
from harness.records.record import MetricScore
from zoo.errors import ScoresNotFinite

ENOUGH = 100
"""Answers after which a task that has no score any more is not asked further."""


def is_kept(answer: Answer) -> bool:
    """Whether an answer that an interrupted run left is one: earlier versions kept those that are not, too."""
    return math.isfinite(answer.get("logprob", 0.0))


def answers_not_finite(plan: TaskPlan, bad: Collection[UnitKey], answered: int, backend: Backend) -> ScoresNotFinite:
    """How many of a task's answers are none, and where the first of them in the order of its documents is."""
    first = next(unit for unit in plan.units if unit.key in bad)
    kind = "log-probabilities" if isinstance(first.request, ScoreRequest) else "logits"
    whole = "answers" if answered == len(plan.units) else f"answers so far, of {len(plan.units):,} in all"
    return ScoresNotFinite(
        f"The model's {kind} are NaN or infinite in {len(bad):,} of {answered:,} {whole}, first in "
        f"{_place(plan, first, backend)}: there is no score.",
        remedy(backend.dtype),
    )


def whole_groups(scores: Iterable[MetricScore], leaves: Iterable[Sequence[MetricScore]]) -> list[MetricScore]:
    """A group's scores, without a value for a metric that one of its tasks has none for."""
    absent = {(score.metric, score.filter) for listed in leaves for score in listed if score.value is None}
    return [
        score.model_copy(update={"value": None, "statistics": None})
        if (score.metric, score.filter) in absent
        else score
        for score in scores
    ]


def _place(plan: TaskPlan, unit: Unit, backend: Backend) -> str:
    """Task, document and which of its requests, as a user finds it again."""
    key, kind = unit.key, plan.loaded.task.OUTPUT_TYPE
    place = f"task {key.task}, document {key.doc_id}"
    if not isinstance(unit.request, ScoreRequest):
        return f"{place}, answer {key.part}" if key.part else place
    if kind == "loglikelihood_rolling":
        return f"{place}, window {key.part}"
    ending = backend.tokenizer.decode(unit.request.continuation, skip_special_tokens=False)
    return f"{place}, ending {key.request} ({ending[:40]!r})"
