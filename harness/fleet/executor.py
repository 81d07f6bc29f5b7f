"""What runs the jobs of a night: this machine's own processes, Ray, or whoever else reads the night's folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.fleet.folders import NightFolder
from harness.records.night import Job


@dataclass(frozen=True)
class Ended:
    """A job's process has ended. Its outcome is in the job's folder, or there is none: then the process was lost."""

    job: str
    lost: str | None = None
    """Why there is no outcome, in words, where the executor knows."""


class Executor(Protocol):
    """Runs `minizoo job ID --night FOLDER` for each job, somewhere."""

    name: str

    def start(self, night: NightFolder, jobs: Sequence[Job]) -> None:
        """Take jobs on, in their order; returns at once. May be called again with further ones."""
        ...

    def wait(self, seconds: float) -> Sequence[Ended]:
        """Those that ended since the last call, after at most so many seconds; empty where none did."""
        ...

    def drain(self) -> Sequence[str]:
        """Begin nothing more; the ids of those that had not begun. What runs goes on."""
        ...

    def cancel(self) -> None:
        """Stop what runs, so that it can go on another time, and leave no process behind."""
        ...
