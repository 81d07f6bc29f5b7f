"""Which night a call is about: an unfinished one of the same plan, or a new one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.fleet.folders import NightFolder
from harness.fleet.night.files import finished, nights, write_night
from harness.fleet.night.limits import Limits, passed
from harness.fleet.plan.compile import compile_night
from harness.fleet.plan.loading import PlanFile
from harness.records.night import Finding, Night

LATEST_HOURS = 20.0
"""An unfinished night without a deadline is gone on with so long; what is older is closed, for the next night is due."""


@dataclass(frozen=True)
class Begun:
    """A night that this call runs, goes on with or closes."""

    folder: NightFolder
    night: Night
    limits: Limits
    went_on: bool = False
    overdue: bool = False
    """Its time is over: nothing of it is run any more, and a new night follows."""
    told: tuple[Finding, ...] = ()


def unfinished(plan: PlanFile, results: Path, now: datetime) -> Begun | None:
    """The newest night of exactly this plan that has no end yet; None where there is none."""
    found = [(folder, night) for folder, night in nights(results) if night and night.plan_digest == plan.digest]
    for folder, night in reversed(found):
        if finished(folder):
            continue
        since, jumped = passed(night.started_at, now)
        told = (Finding(kind="told", about=night.plan, text=jumped),) if jumped else ()
        limits = Limits(plan.plan.deadline, plan.plan.budget.gpu_hours, since)
        overdue = limits.is_past or (limits.minutes is None and since > 3600 * LATEST_HOURS)
        return Begun(folder, night, limits, True, overdue, told)
    return None


def begin(plan: PlanFile, results: Path, now: datetime) -> Begun:
    """A new night, on disk. Raises what compiling the plan does, OSError as the system does."""
    night = compile_night(plan, results, now)
    told = [
        Finding(
            kind="told",
            about=folder.path.name,
            text=f"{folder.night} cannot be read, so that night is not gone on with.",
        )
        for folder, known in nights(results)
        if known is None and not folder.outcome.exists()
    ]
    folder = write_night(results, night, plan.text)
    return Begun(folder, night, Limits(plan.plan.deadline, plan.plan.budget.gpu_hours), told=tuple(told))


def discard(begun: Begun) -> None:
    """Take an unfinished night away: a fresh one was asked for. Its taken-in runs stay, as any run does."""
    shutil.rmtree(begun.folder.path)
