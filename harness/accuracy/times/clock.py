"""Where the time of an evaluation goes: when each task began, and the seconds that its answers took to compute.

All tasks are one schedule, and a backend tells only when an answer is there. So a task begins when the answer before its first
one was taken. The wait for an answer is its task's; where several arrive together, which one forward pass gave, each has the
part of the wait that its tokens are.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from backends.contract import Backend, Generation, Score, ScoreRequest, shares_prefixes
from backends.packing.score import tree_of
from harness.lmeval.encoding import Unit
from harness.records.record import Record, Work

TOGETHER_S = 1e-3
"""Answers with less of a wait between them come from one forward pass."""


@dataclass(frozen=True)
class Span:
    """When a task ran, in UTC, and the seconds of it by a steady clock."""

    started_at: datetime
    finished_at: datetime
    wall_s: float


@dataclass
class TaskTimes:
    """The clock of one run of this process."""

    steady: Callable[[], float] = time.perf_counter
    run_started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self._zero = self._asked = self.steady()
        self._begun: dict[str, float] = {}
        self._units: dict[str, list[Unit]] = {}
        self._seconds: defaultdict[tuple[str, type], float] = defaultdict(float)
        self._new_tokens: Counter[str] = Counter()
        self._wait = 0.0
        self._together: Counter[tuple[str, type]] = Counter()

    def asked(self) -> None:
        """The backend is asked for what comes next, from now on."""
        self._asked = self.steady()

    def answered(self, unit: Unit, result: Score | Generation) -> None:
        """The next answer is there; it was waited for since `asked`."""
        waited = self.steady() - self._asked
        if waited > TOGETHER_S:
            self._share_out()
        self._wait += waited
        self._begun.setdefault(unit.task, self._asked)
        self._units.setdefault(unit.task, []).append(unit)
        tokens = unit.tokens if isinstance(result, Score) else len(result.tokens)
        self._together[unit.task, type(result)] += max(1, tokens)
        if isinstance(result, Generation):
            self._new_tokens[unit.task] += len(result.tokens)

    def span(self, task: str) -> Span:
        """The task's, which ends now; one that no answer was computed for has no duration."""
        now = self.steady()
        begun = self._begun.get(task, now)
        return Span(self._moment(begun), self._moment(now), now - begun)

    def work(self, task: str, backend: Backend, flops_per_token: int | None) -> Work | None:
        """What computing its answers took by now; None where none was computed, and where several devices did it side by side:
        of that no pace of one follows."""
        self._share_out()
        units = self._units.get(task)
        if not units or len(getattr(backend, "devices", ())) > 1:
            return None
        requests = [unit.request for unit in units if isinstance(unit.request, ScoreRequest)]
        tree = tree_of(requests)
        return Work(
            asked_tokens=tree.asked_tokens,
            computed_tokens=len(tree) if shares_prefixes(backend) else tree.asked_tokens,
            scoring_s=self._seconds[task, Score],
            new_tokens=self._new_tokens[task],
            generating_s=self._seconds[task, Generation],
            flops_per_token=flops_per_token,
        )

    def _share_out(self) -> None:
        """Give what was waited for the answers of one forward pass to their tasks."""
        tokens = sum(self._together.values())
        for whose, part in self._together.items():
            self._seconds[whose] += self._wait * part / tokens
        self._wait = 0.0
        self._together.clear()

    def _moment(self, steady: float) -> datetime:
        return self.run_started_at + timedelta(seconds=steady - self._zero)


def span_of_group(leaves: Sequence[Record]) -> Span:
    """From the first leaf's start to the last's finish; of the wall time, what lies inside the processes that ran them."""
    processes: dict[datetime | None, list[Record]] = {}
    for leaf in leaves:
        processes.setdefault(leaf.run_started_at, []).append(leaf)
    return Span(
        min(leaf.started_at for leaf in leaves),
        max(leaf.finished_at for leaf in leaves),
        sum(_between(ran) for ran in processes.values()),
    )


def _between(leaves: Sequence[Record]) -> float:
    """Seconds from the first start to the last finish of leaves that one process ran."""
    return (max(leaf.finished_at for leaf in leaves) - min(leaf.started_at for leaf in leaves)).total_seconds()
