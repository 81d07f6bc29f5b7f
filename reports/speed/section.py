"""What the store gave of one piece of hardware, in an order of its own, and the tables that it becomes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.cells import moment
from reports.speed.points import Hardware, by_hardware
from reports.speed.ratios import RatioLine, ratio_lines
from reports.speed.scoring import ScoringLine, SuiteLine, scoring_lines, suite_lines

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class SpeedRows:
    """What the store says of speed."""

    points: Rows = ()
    """One a measured or failed point of a workload: `reports.speed.queries.POINTS`."""
    figures: Rows = ()
    """Of those points, from the view `speed`: medians, or means where a median was refused."""
    ratios: Rows = ()
    """The view `speed_ratios`, with `processor`."""
    scoring: Rows = ()
    """The view `scoring` and what failed, with `processor`, `status` and `reason`: `reports.speed.queries.SCORING`."""
    suites: Rows = ()
    """The view `scoring_suites`."""

    def in_order(self) -> SpeedRows:
        """The same rows, the newest first, in an order that depends on nothing but what they say."""
        return SpeedRows(*(_in_order(getattr(self, field.name)) for field in dataclasses.fields(self)))


@dataclass(frozen=True)
class SpeedSection:
    """The tables, as the page shows them."""

    hardware: tuple[Hardware, ...]
    ratios: tuple[RatioLine, ...]
    scoring: tuple[ScoringLine, ...]
    suites: tuple[SuiteLine, ...]


def section(rows: SpeedRows) -> SpeedSection | None:
    """The section; None where there is nothing to show. The same rows give the same section, in whatever order they come."""
    rows = rows.in_order()
    made = SpeedSection(
        hardware=by_hardware(rows.points, rows.figures),
        ratios=ratio_lines(rows.ratios),
        scoring=scoring_lines(rows.scoring),
        suites=suite_lines(rows.suites),
    )
    return made if made.hardware or made.ratios or made.scoring or made.suites else None


def _in_order(rows: Rows) -> Rows:
    alike = sorted(rows, key=lambda row: json.dumps(sorted(row.items()), default=str))
    return sorted(alike, key=lambda row: moment(row.get("finished_at"), "%Y%m%d%H%M%S"), reverse=True)
