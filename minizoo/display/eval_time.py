"""How long an evaluation took, and how long one will take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from minizoo.display.accuracy import or_note
from minizoo.display.scale import rough_duration

if TYPE_CHECKING:
    from harness.accuracy.dry_run import DryRun
    from harness.accuracy.times.pace import Estimate
    from harness.records.measured_work import Measured

QUICK_LOOK = 20
"""Documents a task of the run that an unknown pace is measured with."""


def estimated(plan: DryRun, results: Path) -> Estimate:
    """The time of each task of the plan, by the earlier runs in a results folder."""
    from harness.accuracy.times.pace import estimated_time

    measured = or_note(lambda: _measured(results), "Earlier runs cannot be read, so the time is unknown")
    amounts = {task.task: task.amount for task in plan.tasks}
    return estimated_time(amounts, plan.identity, plan.flops, plan.place, measured)


def told_time(plan: DryRun, estimate: Estimate, results: Path) -> Iterator[str]:
    """How long, and what that rests on; what to do where it is unknown."""
    if plan.place is None:
        yield "Time: unknown, for this machine has no such device."
        return
    where, total = plan.place.words, estimate.total
    if total is not None:
        short = [task for task, seconds in estimate.seconds.items() if seconds is None]
        most = " at most" if estimate.at_most else ""
        rest = f", and what {', '.join(short)} takes" if short else ""
        yield f"Time: {rough_duration(total)}{most} of computing on {where}{rest}; loading and preparing come on top."
    if estimate.unknown:
        what = "Time: unknown" if total is None else f"The time of {' and '.join(estimate.unknown)} is unknown"
        yield (
            f"{what}: {results} has no run on {where} with enough of it, of this model or one of about its size. Run the same "
            f"command once with --limit {QUICK_LOOK} in place of --dry-run."
        )
    for told in estimate.basis:
        yield f"'time': {told}."


def _measured(results: Path) -> list[Measured]:
    from harness.store.measured_work import measured_work

    # A dry run makes no database where there is nothing to put into it.
    return measured_work(results) if (results / "runs").is_dir() else []
