"""How far a job is, on disk after every step, so that another process goes on with it: `progress.json` in its folder."""

from __future__ import annotations

from datetime import datetime

from harness.fleet.folders import JobFolder
from harness.records.night import Attempt, Finding, JobOutcome, StepRun
from zoo.files import write_atomically
from zoo.strict import Frozen

FINAL = ("done", "failed", "infra_failed")
"""States of a job that the night does not go on with."""


class Began(Frozen):
    """An attempt that is going on, or whose process was lost."""

    number: int
    started_at: datetime
    host: str
    pid: int


class DoneStep(Frozen):
    """A step that ended well."""

    index: int
    runs: tuple[StepRun, ...]
    told: tuple[Finding, ...] = ()


class Progress(Frozen):
    """What is known of a job that has no outcome yet."""

    attempts: tuple[Attempt, ...] = ()
    steps: tuple[DoneStep, ...] = ()
    began: Began | None = None


def read_progress(folder: JobFolder) -> Progress:
    """How far the job is; nothing where nobody began it, or what is there cannot be read: then it begins anew."""
    try:
        return Progress.model_validate_json(folder.progress.read_bytes())
    except (OSError, ValueError):
        return Progress()


def write_progress(folder: JobFolder, progress: Progress) -> None:
    """Durable when it returns. Raises OSError as the system does."""
    write_atomically(folder.progress, progress.model_dump_json(indent=1).encode())


def read_outcome(folder: JobFolder) -> JobOutcome | None:
    """What became of the job; None where it has not ended, was interrupted, or what is there cannot be read."""
    try:
        found = JobOutcome.model_validate_json(folder.outcome.read_bytes())
    except (OSError, ValueError):
        return None
    return found if found.status in FINAL else None


def write_outcome(folder: JobFolder, outcome: JobOutcome) -> None:
    """The last word on a job. Durable when it returns. Raises OSError as the system does."""
    write_atomically(folder.outcome, outcome.model_dump_json(indent=1).encode())
