"""What each job of a night will take: by earlier runs of the same model here, else by estimate, else unknown and said so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.records.night import Job, Night


@dataclass(frozen=True)
class JobCost:
    """How long one job is expected to take."""

    job: Job
    minutes: float | None
    """None: nothing tells."""
    basis: str
    """What that rests on, or why nothing tells."""
    at_most: bool = False
    """Whether something is counted at its limit."""

    @property
    def gpu_hours(self) -> float | None:
        """0 on a CPU; None where nothing tells."""
        if self.job.accelerator is None:
            return 0.0
        return None if self.minutes is None else self.minutes * self.job.split / 60


def cost_of(night: Night, results: Path) -> Sequence[JobCost]:
    """A row a job, in their order. Reads the results and runs nothing."""
    raise NotImplementedError
