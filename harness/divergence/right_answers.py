"""A model asked the tasks that have a right answer: how probable it is, and whether the model gives it. No records."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.contract import Backend
from harness.accuracy.plan import TaskPlan
from harness.lmeval.answering import answers
from harness.lmeval.encoding import UnitKey
from harness.lmeval.responses import Answer, answer_of, clear_responses, fill_responses
from harness.lmeval.scores import score_task
from harness.metrics.task_metadata import UNIT_INTERVAL_METRICS

KINDS = ("multiple_choice", "loglikelihood")
"""lm-eval's kinds of task whose right answer is scored."""
HINT = "Report it with the traceback that `minizoo --debug` shows, unless memory or the device is the cause."
"""What to do where the engine broke."""


@dataclass(frozen=True)
class RightAnswers:
    """An entry a document, task after task: what one model made of it. NaN where it is not known."""

    task: Any
    """object (str)."""
    cluster: Any
    """object (str): what the document shares with others of its task, else the document itself."""
    gold: Any
    """float64: log-probability of the right answer, nats."""
    right: Any
    """float64: the task's metric between 0 and 1."""


def with_right_answer(plans: Sequence[TaskPlan]) -> list[TaskPlan]:
    """The tasks that may have one."""
    return [plan for plan in plans if plan.loaded.task.OUTPUT_TYPE in KINDS]


def right_answers(
    plans: Sequence[TaskPlan], backend: Backend, told: Callable[[int], object] = lambda tokens: None
) -> RightAnswers:
    """Ask the model all requests of the plans in one call; `told` hears of the tokens of each request that is answered.

    Raises what `answers` does, and what a task's own code raises.
    """
    units = [unit for plan in plans for unit in plan.units]
    by_unit: dict[UnitKey, Answer] = {}
    for at, score in answers(backend, units, None, HINT):
        by_unit[units[at].key] = answer_of(score, backend.tokenizer)
        told(units[at].tokens)
    found: list[dict[str, Any]] = []
    for plan in plans:
        fill_responses(plan.sets, plan.units, by_unit)
        found.extend(_of_task(plan))
        clear_responses(plan.documents)
    return RightAnswers(
        *(np.array([row[name] for row in found], object) for name in ("task", "cluster")),
        *(np.array([row[name] for row in found], np.float64) for name in ("gold", "right")),
    )


def _of_task(plan: TaskPlan) -> list[dict[str, Any]]:
    """A row a document, in the plan's order."""
    _, rows = score_task(plan.loaded, plan.documents)
    metric, name = _judging(plan, rows)
    judged = {(row["doc_id"]): row for row in rows if (row["metric"], row["filter"]) == (metric, name)}
    return [
        {
            "task": plan.name,
            "cluster": f"{plan.name} {f'#{at}' if row['cluster'] is None else row['cluster']}",
            "gold": math.nan if row["gold_logprob"] is None else row["gold_logprob"],
            "right": math.nan if row["value"] is None or metric not in UNIT_INTERVAL_METRICS else row["value"],
        }
        for at, row in enumerate(judged[document.doc_id] for document in plan.documents)
    ]


def _judging(plan: TaskPlan, rows: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """Metric and filter that say whether an answer is right: the suite's, else accuracy, else the first."""
    keys = list(dict.fromkeys((row["metric"], row["filter"]) for row in rows))
    named = [key for key in keys if key[0] == plan.loaded.entry.metric and key[0] in UNIT_INTERVAL_METRICS]
    return (named or [key for key in keys if key[0] == "acc"] or keys)[0]
