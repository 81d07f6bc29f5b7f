"""Each candidate cut and scored as a whole, before any is trained; the best go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.files import json_object, write_atomically
from zoo.prune.parent import Parent
from zoo.prune.plan import Plan
from zoo.search.candidates import Candidate
from zoo.search.stages.cutting import cut
from zoo.search.stages.distilling import School
from zoo.search.stopping import point_losses

SCHEMA = "minizoo.search-score/1"


@dataclass(frozen=True)
class TaskScore:
    """What tasks made of a checkpoint: one number, higher is better, each task's own, and what the number is."""

    value: float
    tasks: Mapping[str, float] = field(default_factory=dict[str, float])
    by: str = ""


ScoreFolder = Callable[[Path], TaskScore]
"""Takes a checkpoint's folder; passed in from above, since tasks are no business of the zoo."""


@dataclass(frozen=True)
class Scored:
    """A candidate after the cut: its number (from 1), shape, plan, loss on held-out text in nats a token (NaN where it is not
    finite), and what tasks made of it, if any was asked."""

    number: int
    candidate: Candidate
    plan: Plan
    loss: float
    task: TaskScore | None = None

    @property
    def order(self) -> tuple[float, int]:
        """The best first: by tasks where there are any, else by loss; what has no finite score last."""
        value = self.loss if self.task is None else -self.task.value
        return (value if np.isfinite(value) else np.inf), self.number


def score_all(
    tried: Sequence[Candidate],
    plans: Sequence[Plan],
    parent: Parent,
    school: School,
    work: Path,
    score: ScoreFolder | None,
) -> list[Scored]:
    """Cut, score and remove each candidate; the scores stay in `work`, so none is scored twice. Returned in their order.

    Raises what `write_child` and `score` raise.
    """
    found: list[Scored] = []
    for number, (candidate, plan) in enumerate(zip(tried, plans, strict=True), 1):
        if school.progress:
            school.progress("candidates cut and scored", number - 1, len(tried))
        found.append(_scored(number, candidate, plan, parent, school, work, score))
    if school.progress:
        school.progress("candidates cut and scored", len(tried), len(tried))
    return found


def _scored(
    number: int, candidate: Candidate, plan: Plan, parent: Parent, school: School, work: Path, score: ScoreFolder | None
) -> Scored:
    file = work / f"candidate-{number:02d}" / "score.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    kept: dict[str, Any] = json_object(file)
    if kept.get("schema") != SCHEMA or kept.get("plan") != plan.digest():
        folder = cut(plan, parent, file.parent / "cut")
        held_out = school.text.ranking
        loss = float(point_losses(school.pruned(folder, held_out)[None], held_out.tokens)[0])
        told = None if score is None else score(folder)
        shutil.rmtree(folder)
        kept = {
            "schema": SCHEMA,
            "plan": plan.digest(),
            "loss": loss if np.isfinite(loss) else None,
            "task": None if told is None else {"value": told.value, "tasks": dict(told.tasks), "by": told.by},
        }
        write_atomically(file, json.dumps(kept).encode())
    loss = np.nan if kept["loss"] is None else float(kept["loss"])
    return Scored(number, candidate, plan, loss, None if kept["task"] is None else TaskScore(**kept["task"]))
