"""Two sides compared: a row a task, the p-values adjusted over all of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.compare.groups import compare_key
from harness.compare.items import ScoreKey, Side
from harness.compare.primary import keys_of_task, primary_key
from harness.compare.task import TaskComparison, refused_row
from harness.records.record import Record
from harness.stats.paired.holm import holm


@dataclass(frozen=True)
class Asked:
    """Which rows are wanted."""

    tasks: tuple[str, ...] = ()
    """By name or pattern; empty is all that both sides have. Tasks of a group have rows where they are named and it is not."""
    every_metric: bool = False
    """A row for every metric and filter, in place of the one that stands for the task."""


@dataclass(frozen=True)
class Comparison:
    """All rows of A beside B, and what could not become one."""

    a: Side
    b: Side
    rows: tuple[TaskComparison, ...]
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    """Tasks that the other side does not have."""
    further: int = 0
    """Metrics in common that have no row: `every_metric` shows them."""

    @property
    def compared(self) -> tuple[TaskComparison, ...]:
        """The rows that were not refused."""
        return tuple(row for row in self.rows if row.tested is not None)

    @property
    def refused_tasks(self) -> tuple[str, ...]:
        """Tasks of which every row is refused."""
        done = {row.key.task for row in self.compared}
        return tuple(dict.fromkeys(row.key.task for row in self.rows if row.key.task not in done))

    @property
    def exit_code(self) -> int:
        """0 where everything in common was compared; 3 where a task was refused, or nothing pairs."""
        return 3 if self.refused_tasks or not self.compared else 0


def compare_sides(a: Side, b: Side, asked: Asked | None = None) -> Comparison:
    """Compare every task that both have (a group for its tasks), by the metric that stands for it."""
    asked = asked or Asked()
    ours, theirs = _tasks(a), _tasks(b)
    hidden = _behind_groups(a, asked) & _behind_groups(b, asked)
    wanted = [task for task in ours if task in theirs and task not in hidden and _is_asked(task, asked)]
    rows = [row for task in wanted for row in _rows_of_task(a, b, task, asked.every_metric)]
    shown = {row.key for row in rows}
    in_common = {key for task in wanted for key in keys_of_task(a, task) if key in b.results}
    return Comparison(
        a,
        b,
        _adjusted(rows),
        tuple(task for task in ours if task not in {*theirs, *_behind_groups(a, asked)} and _is_asked(task, asked)),
        tuple(task for task in theirs if task not in {*ours, *_behind_groups(b, asked)} and _is_asked(task, asked)),
        len(in_common - shown),
    )


def _tasks(side: Side) -> list[str]:
    return list(dict.fromkeys([*(key.task for key in side.results), *side.failed]))


def _behind_groups(side: Side, asked: Asked) -> set[str]:
    """Tasks that a group stands for, which is asked for itself."""
    groups = (result.record for result in side.results.values() if _is_asked(result.key.task, asked))
    return {task for group in groups for task in group.members}


def _is_asked(task: str, asked: Asked) -> bool:
    return not asked.tasks or any(fnmatch.fnmatchcase(task, pattern) for pattern in asked.tasks)


def _rows_of_task(a: Side, b: Side, task: str, every_metric: bool) -> Iterator[TaskComparison]:
    failures = [(name, side.failed[task]) for name, side in (("A", a), ("B", b)) if task in side.failed]
    keys = _keys(a, b, task, every_metric)
    for key in keys or [ScoreKey(task, "", "")]:
        if failures and not (key in a.results and key in b.results):
            why = "; ".join(f"the newest run of {name} failed: {_reason(record)}" for name, record in failures)
            yield refused_row(a.results.get(key), b.results.get(key), key, why)
        else:
            yield compare_key(a, b, key)


def _keys(a: Side, b: Side, task: str, every_metric: bool) -> list[ScoreKey]:
    """The keys of a task's rows: all that either has, or the one that stands for it, by the side whose suite names one."""
    ours, theirs = keys_of_task(a, task), keys_of_task(b, task)
    if every_metric:
        return list(dict.fromkeys([*ours, *theirs]))
    common = [key for key in ours if key in theirs] or ours or theirs
    record = next((side.results[key].record for key in common for side in (a, b) if key in side.results), None)
    chosen = primary_key(record, common) if record else None
    return [chosen] if chosen else []


def _reason(record: Record) -> str:
    return record.reason or record.code or record.status


def _adjusted(rows: Sequence[TaskComparison]) -> tuple[TaskComparison, ...]:
    """The rows with p-values adjusted (Holm) over all that were tested; of the right answers' log-probability over tasks."""
    scores = _holm_by(rows, lambda row: row.key, lambda row: row.tested.p_value if row.tested else None)
    golds = _holm_by(rows, lambda row: row.key.task, lambda row: row.gold.p_value if row.gold else None)
    return tuple(
        replace(
            row,
            p_holm=scores.get(row.key),
            gold=replace(row.gold, p_holm=golds[row.key.task]) if row.gold else None,
        )
        for row in rows
    )


def _holm_by(
    rows: Iterable[TaskComparison],
    name: Callable[[TaskComparison], Hashable],
    p_value: Callable[[TaskComparison], float | None],
) -> dict[Hashable, float]:
    """The adjusted p-value of each name, over the names that have one."""
    raw: dict[Hashable, float] = {}
    for row in rows:
        found = p_value(row)
        if found is not None:
            raw.setdefault(name(row), found)
    return dict(zip(raw, holm(list(raw.values())), strict=True))
