"""A task's score as a function of the layers kept: what a command passes to the zoo for a depth search."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.accuracy.prepare import EvalWatcher
from harness.accuracy.run import run
from zoo.errors import TaskFailed

if TYPE_CHECKING:
    from backends.contract import Options
    from harness.accuracy.plan import TaskPlan
    from harness.lmeval.encoding import Unit
    from harness.records.record import Record
    from zoo.prune.parent import Parent


@dataclass(frozen=True)
class Scored:
    """What candidates are scored by: one task, so many of its documents (None: all), its data, and what runs it."""

    task: str
    limit: int | None
    data: Path | None
    options: Options


@dataclass
class CandidateWatcher(EvalWatcher):
    """Tells of each evaluation how far it is, and, once for all candidates, what is to be known of it."""

    progress: Callable[[str, int, int], None] | None = None
    note: Callable[[str], None] = lambda _line: None

    def __post_init__(self) -> None:
        self._told: set[str] = set()
        self._step = ""
        self._done = self._tokens = 0

    def begins(self, phase: str) -> None:
        """A candidate is prepared, loaded, scored: each too short to be told."""

    def fetched(self, step: str, done: int, of: int) -> None:
        """Nothing is fetched for a candidate."""

    def recorded(self, record: Record) -> None:
        """The candidate's value is told by whoever asked for it."""

    def planned(self, plans: Sequence[TaskPlan]) -> None:
        """A candidate begins."""
        self._done, self._tokens = 0, sum(plan.tokens for plan in plans)
        self._step = f"tokens of {', '.join(plan.name for plan in plans)} for one model"

    def noted(self, line: str) -> None:
        """Tell it, unless an earlier candidate's evaluation said the same."""
        if line not in self._told:
            self._told.add(line)
            self.note(line)

    def answered(self, unit: Unit, computed: bool) -> None:
        """Advance by the unit's tokens."""
        self._done += unit.tokens
        if self.progress and self._tokens:
            self.progress(self._step, min(self._done, self._tokens), self._tokens)


def task_scorer(
    parent: Parent, scored: Scored, work: Path, watcher: CandidateWatcher | None = None
) -> Callable[[Sequence[int]], float]:
    """A function from kept layers to the task's first metric (negated where lower is better).

    A candidate is a plan without weights, run by the `pruned` backend from the parent's own files. An evaluation that was
    interrupted is resumed inside the task. Raises TaskFailed where the task could not be scored.
    """
    from harness.accuracy.prepare import DocumentRules, EvalRequest
    from harness.suites.suite import TaskSelection
    from zoo.prune.selection import keep_layers
    from zoo.prune.write.writer import write_virtual

    def score(kept: Sequence[int]) -> float:
        candidate = work / "candidate"
        shutil.rmtree(candidate, ignore_errors=True)
        write_virtual(keep_layers(parent.identity, kept), parent, candidate)
        request = EvalRequest(
            str(candidate),
            selection=TaskSelection(tasks=(scored.task,)),
            backend="pruned",
            options=scored.options,
            rules=DocumentRules(scored.limit),
            data=scored.data,
        )
        records = run(request, work / "results", watcher=watcher).records
        if len(records) != 1:
            raise TaskFailed(
                f"{scored.task} has {len(records)} records, and layers are chosen by the score of one.",
                "Take one of its sub-tasks as --depth-task.",
            )
        (record,) = records
        value = record.scores[0].value if record.status == "ok" else None
        if value is None:
            why = record.reason or "its first metric has no finite value"
            raise TaskFailed(
                f"{scored.task} has no score with layers {list(kept)} alone ({why.rstrip('.')}).",
                "Take another --depth-task, or another --depth-by.",
            )
        return -value if record.scores[0].higher_is_better is False else value

    return score
