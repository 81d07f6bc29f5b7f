"""What a cut costs beside the parent: a row an axis, the whole plan last, with intervals and what the axes cost together."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.divergence.figures import Mean, as_mean, clustered
from harness.divergence.right_answers import RightAnswers
from harness.stats.paired.holm import holm
from harness.stats.paired.real import mean_p
from zoo.arch.parameters import count_parameters
from zoo.prune.indices import as_runs
from zoo.prune.plan import Plan, cut_axes

WHOLE = "whole plan"
"""The row of the plan as it is."""


@dataclass(frozen=True)
class TaskLoss:
    """The same of one task."""

    task: str
    n: int
    accuracy_parent: float | None
    accuracy: float | None
    difference: Mean


@dataclass(frozen=True)
class AxisLoss:
    """The parent with one axis cut, or with the whole plan, beside the parent. Means over items; nats, shares of 1."""

    axis: str
    cut: str
    """`144 → 96`."""
    parameters: int
    saved: int
    """Parameters of the parent that are gone."""
    n: int = 0
    """Items whose right answer has a log-probability."""
    gold: float | None = None
    accuracy: float | None = None
    difference: Mean | None = None
    """log p of the right answer, this model's less the parent's."""
    p_value: float | None = None
    """Two-sided, of no difference."""
    p_holm: float | None = None
    """Over the rows."""
    tasks: tuple[TaskLoss, ...] = ()
    refused: str | None = None
    """Why this cut has no numbers."""

    @property
    def lost_per_million(self) -> float | None:
        """Nats lost an item for each million parameters saved."""
        return None if self.difference is None or not self.saved else -self.difference.value / (self.saved / 1e6)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**dataclasses.asdict(self), "lost_per_million": self.lost_per_million}


@dataclass(frozen=True)
class AxisLosses:
    """A row an axis, the whole plan last, and what the axes cost together beyond their sum."""

    parent: str
    plan: str
    """The plan's digest."""
    suite: str
    parameters: int
    """The parent's."""
    gold: float
    accuracy: float | None
    rows: tuple[AxisLoss, ...]
    interaction: Mean | None = None
    """The whole plan's difference less the sum of the axes', paired by item: below 0 the cuts make each other worse."""
    notes: tuple[str, ...] = ()

    @property
    def sum_of_axes(self) -> float | None:
        """The differences of the axes, added up; None where one has none."""
        found = [row.difference for row in self.rows if row.axis != WHOLE]
        return None if None in found else sum(each.value for each in found if each)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        rows = [row.document() for row in self.rows]
        return {**dataclasses.asdict(self), "rows": rows, "sum_of_axes": self.sum_of_axes}


Cuts = Mapping[str, tuple[Plan, RightAnswers | str]]
"""Axis, or WHOLE → its plan, and what the model that it makes answered, or why there is no answer."""


@dataclass(frozen=True)
class BesideParent:
    """Models that were cut from one parent, beside what it answered itself. Compared are items whose right answer is known."""

    parent: RightAnswers

    @property
    def known(self) -> Any:
        """The items that have a right answer; bool."""
        return np.isfinite(self.parent.gold)

    @property
    def gold(self) -> float:
        """The parent's mean log-probability of them."""
        return float(self.parent.gold[self.known].mean())

    @property
    def accuracy(self) -> float | None:
        """The parent's share of them."""
        return _mean(self.parent.right[self.known])

    def rows(self, cuts: Cuts) -> tuple[AxisLoss, ...]:
        """A row a cut, p-values adjusted over those that have one."""
        rows = [self._row(axis, plan, answers) for axis, (plan, answers) in cuts.items()]
        tested = {at: row.p_value for at, row in enumerate(rows) if row.p_value is not None}
        for at, adjusted in zip(tested, holm(list(tested.values())), strict=True):
            rows[at] = replace(rows[at], p_holm=adjusted)
        return tuple(rows)

    def interaction(self, cuts: Cuts) -> Mean | None:
        """The whole plan's difference less the sum of the axes', item by item; None of a single axis, or where one has none."""
        found = {
            axis: self._differences(answers) for axis, (_, answers) in cuts.items() if not isinstance(answers, str)
        }
        if len(cuts) == 1 or len(found) < len(cuts):
            return None
        whole = found.pop(WHOLE)
        return as_mean(clustered(whole - sum(found.values()), self.parent.cluster[self.known]))

    def without_right_answer(self) -> list[str]:
        """Tasks of which no item has one."""
        return sorted(set(self.parent.task) - set(self.parent.task[self.known]))

    def _row(self, axis: str, plan: Plan, answers: RightAnswers | str) -> AxisLoss:
        parameters = plan.shape.parameters
        saved = count_parameters(plan.parent.dims).total - parameters
        row = AxisLoss(axis, what_is_cut(plan, axis), parameters, saved)
        if isinstance(answers, str):
            return replace(row, refused=answers)
        difference = clustered(self._differences(answers), self.parent.cluster[self.known])
        return replace(
            row,
            n=int(self.known.sum()),
            gold=float(answers.gold[self.known].mean()),
            accuracy=_mean(answers.right[self.known]),
            difference=as_mean(difference),
            p_value=mean_p(difference),
            tasks=tuple(self._by_task(answers)),
        )

    def _by_task(self, answers: RightAnswers) -> Iterator[TaskLoss]:
        tasks, clusters = self.parent.task[self.known], self.parent.cluster[self.known]
        theirs, ours = self.parent.right[self.known], answers.right[self.known]
        differences = self._differences(answers)
        for task in dict.fromkeys(tasks):
            mine = tasks == task
            difference = as_mean(clustered(differences[mine], clusters[mine]))
            yield TaskLoss(task, int(mine.sum()), _mean(theirs[mine]), _mean(ours[mine]), difference)

    def _differences(self, answers: RightAnswers) -> Any:
        """log p of each known right answer, less the parent's."""
        return (answers.gold - self.parent.gold)[self.known]


def what_is_cut(plan: Plan, axis: str) -> str:
    """What becomes of the axis; of a whole plan, of each that it cuts."""
    shape, parent = plan.shape, plan.parent.dims
    if axis == WHOLE:
        return ", ".join(f"{each} {what_is_cut(plan, each)}" for each in cut_axes(plan))
    if axis == "layers":
        return f"{parent.num_layers} → {shape.num_layers} (without {as_runs(shape.drop)})"
    widths: Mapping[str, tuple[int, Sequence[int]]] = {
        "hidden": (parent.hidden_size, (shape.hidden,)),
        "ffn": (parent.ffn_hidden_size, shape.ffn),
        "heads": (parent.num_attention_heads, shape.heads),
    }
    before, after = widths[axis]
    low, high = min(after), max(after)
    return f"{before} → {low}" if low == high else f"{before} → {low} to {high}"


def _mean(values: Any) -> float | None:
    """The mean; None where not every item has a value."""
    return float(values.mean()) if np.isfinite(values).all() else None
