"""What the gate of a night could detect: the smallest loss of each task, and the slow-down of each speed job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.fleet.plan.loading import PlanFile
from harness.records.night import Night


@dataclass(frozen=True)
class Detectable:
    """One task of one suite, or the speed of one workload, over all models of the night."""

    what: str
    """The task, or the workload."""
    where: str
    """The suite; of a speed the kind of blocks."""
    documents: int | None
    """Taken of it; of a speed the blocks of a night."""
    least: float | None
    """The smallest loss found with the policy's power, in the metric's own unit; of a speed a part of one. None: none is."""
    told: str
    """What that rests on, or why nothing can be found."""


def detectable(file: PlanFile, night: Night) -> Sequence[Detectable]:
    """A row a task of each suite, then a row a workload. Reads policies, suites and data; runs nothing."""
    raise NotImplementedError
