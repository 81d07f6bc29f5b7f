"""A plan compiled to a night: its jobs, in their order, each of which any machine can run by itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from harness.fleet.plan.loading import PlanFile
from harness.records.night import Night


def compile_night(file: PlanFile, results: Path, now: datetime) -> Night:
    """The night that begins `now`, with every name looked up; nothing runs, and nothing is written but a cache of digests.

    Ids of jobs follow from the plan alone. `Night.told` has what is left out, and why. Raises InvalidNightPlan with line and
    column for a model, suite, backend, workload, accelerator, baseline, policy or folder that there is not.
    """
    raise NotImplementedError
