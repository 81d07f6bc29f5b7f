"""What ends a night early: its deadline, by a clock that does not jump, and its budget of GPU hours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from harness.records.night import Job, JobOutcome

LONGEST = timedelta(days=30)
"""A night that seems to have begun longer ago began under another clock."""


@dataclass(frozen=True)
class Limits:
    """The limits of one night in this process. Times are by the monotonic clock, so a wall clock that is set moves nothing."""

    minutes: float | None
    """From the beginning of the night; None: no deadline."""
    gpu_hours: float | None
    passed_s: float = 0.0
    """What had passed of the night before this process went on with it."""
    clock: Callable[[], float] = time.monotonic
    began: float = field(default_factory=time.monotonic)

    @property
    def left_s(self) -> float | None:
        """Seconds until the deadline; None where there is none."""
        if self.minutes is None:
            return None
        return 60 * self.minutes - self.passed_s - (self.clock() - self.began)

    def reached(self, spent: float) -> str | None:
        """Why nothing more may begin, in words; None while it may. `spent`: GPU hours so far."""
        left = self.left_s
        if left is not None and left <= 0:
            return f"the deadline, {_shown(self.minutes or 0)} from the night's beginning, came first"
        if self.gpu_hours is not None and spent >= self.gpu_hours:
            return f"the budget of {self.gpu_hours:g} GPU hours is used up ({spent:.2f})"
        return None

    @property
    def is_past(self) -> bool:
        """Whether the deadline has come: what runs is stopped then."""
        left = self.left_s
        return left is not None and left <= 0


def passed(started_at: datetime, now: datetime) -> tuple[float, str | None]:
    """Seconds since the night began, by the wall clock, which alone lasts over a reboot; 0 where that has jumped, and then what
    to tell."""
    since = now - started_at
    if timedelta(0) <= since <= LONGEST:
        return since.total_seconds(), None
    return 0.0, (
        f"The clock says {now:%Y-%m-%d %H:%M} UTC, and the night began at {started_at:%Y-%m-%d %H:%M}: it has jumped, so the "
        "deadline counts from now."
    )


def gpu_hours(jobs: Mapping[str, Job], outcomes: Iterable[JobOutcome]) -> float:
    """What the attempts of jobs on GPUs have used, all nodes of a divided one counted."""
    return sum(
        attempt.seconds * jobs[outcome.job].split / 3600
        for outcome in outcomes
        for attempt in outcome.attempts
        if jobs[outcome.job].accelerator is not None
    )


def _shown(minutes: float) -> str:
    return f"{minutes / 60:g} h" if minutes >= 60 else f"{minutes:g} min"
