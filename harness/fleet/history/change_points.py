"""Where the series over nights changed: the last good night, the first bad one, and what was another in between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.fleet.history.changed import changed_between
from harness.fleet.history.series import Figure, Series, read_series, values_to_test
from harness.stats.change_points import Shift, change_points
from harness.store.query import Reader

LEAST_SPEED = 0.02
"""A change of a speed by a smaller share is none."""
LEAST_GOLD = 0.0005
"""Nats a document. Runs of one code on one machine agree to 1e-6, so that without it each rounding would be a change."""
FEWEST_FIGURES = 6
"""As many as a series needs before its changes are looked for."""


@dataclass(frozen=True)
class Change:
    """A change of a series' level."""

    before: Figure
    """The last night before it."""
    after: Figure
    """The first night that shows it."""
    by: float
    """Of speeds the share (-0.05: 5 % slower), of gold log-probabilities nats."""
    p_value: float
    nights_before: int
    nights_after: int
    changed: dict[str, str]
    """What was another on the two nights, `old → new` by its name."""

    @property
    def is_worse(self) -> bool:
        """All series that are tested are better where they are larger."""
        return self.by < 0


@dataclass(frozen=True)
class Told:
    """A series with its changes; `why_not` where none were looked for."""

    series: Series
    changes: tuple[Change, ...] = ()
    why_not: str | None = None


def history(reader: Reader, model: str | None = None, task: str | None = None, metric: str | None = None) -> list[Told]:
    """Every series of that choice with its changes, in the order of `read_series`."""
    return [told(reader, series) for series in read_series(reader, model, task, metric)]


def told(reader: Reader, series: Series) -> Told:
    """The changes of one series, oldest first."""
    if (missing := FEWEST_FIGURES - len(series.figures)) > 0:
        return Told(series, why_not=f"{missing} more needed")
    if series.axis is not None:
        return Told(series, why_not="checkpoints of a run, which are meant to differ")
    values = values_to_test(reader, series)
    if values is None:
        return Told(series, why_not="judged by the gate, by document")
    speeds = series.key.kind != "gold_logprob"
    found = [_change(series.figures, shift, speeds) for shift in change_points(values)]
    return Told(series, tuple(one for one in found if abs(one.by) >= (LEAST_SPEED if speeds else LEAST_GOLD)))


def _change(figures: Sequence[Figure], shift: Shift, speeds: bool) -> Change:
    before, after = figures[shift.at - 1], figures[shift.at]
    moved = shift.after - shift.before
    return Change(
        before, after, math.expm1(moved) if speeds else moved, shift.p_value, shift.n_before, shift.n_after,
        changed_between(before.versions, after.versions),
    )  # fmt: skip
