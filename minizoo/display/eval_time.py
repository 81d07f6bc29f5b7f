"""How long an evaluation took, and how long one will take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from minizoo.display.accuracy import or_note
from minizoo.display.progress import StepBar
from minizoo.display.scale import rough_duration
from minizoo.output import note

if TYPE_CHECKING:
    from harness.accuracy.dry_run import DryRun
    from harness.accuracy.times.pace import Estimate, Probed
    from harness.records.measured_work import Kind, Measured

QUICK_LOOK = 20
"""Documents a task of the run that an unknown pace is measured with."""


def estimated(plan: DryRun, results: Path, probes: bool, quiet: bool) -> Estimate:
    """The time of each task of the plan, by the earlier runs in a results folder; with `probes`, of what they do not tell by a
    probe of the model, where that can be run."""
    from harness.accuracy.times.pace import estimated_time

    measured = or_note(lambda: _measured(results), "Earlier runs cannot be read, so the time is unknown")
    amounts = {task.task: task.amount for task in plan.tasks}
    by_runs = estimated_time(amounts, plan.identity, plan.flops, plan.place, measured)
    wanted = plan.probe.kinds(by_runs.unknown) if plan.probe and plan.place and probes else []
    if not wanted:
        return by_runs
    probed = _probed(plan, wanted, quiet)
    return estimated_time(amounts, plan.identity, plan.flops, plan.place, measured, probed)


def told_time(plan: DryRun, estimate: Estimate, results: Path, probes: bool) -> Iterator[str]:
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
            f"{what}: {results} has no run on {where} with enough of it, of this model or one of about its size"
            f"{_unprobed(plan, probes)}. Run the same command once with --limit {QUICK_LOOK} in place of --dry-run"
            f"{'' if probes or plan.unprobed else ', or without --no-probe'}."
        )
    for told in estimate.basis:
        yield f"'time': {told}."


def _probed(plan: DryRun, wanted: Sequence[Kind], quiet: bool) -> Mapping[Kind, Probed]:
    from harness.accuracy.times.probe import MOST_S, run_probe

    assert plan.probe is not None
    note(
        f"No run here tells the time of {' and '.join(wanted)}: {plan.model.shown} is loaded and probed for {MOST_S:.0f} s of "
        "computing at most (--no-probe leaves it out)."
    )
    with StepBar(quiet) as bar:
        begun: list[str] = []

        def begins(step: str) -> None:
            for over in begun[-1:]:
                bar.end(over)
            begun.append(step)
            bar.show(step, 0, 0)

        outcome = run_probe(plan.probe, wanted, begins)
    for told in outcome.told:
        note(told)
    return outcome.probed


def _unprobed(plan: DryRun, probes: bool) -> str:
    return f", and no probe was made, for {plan.unprobed}" if probes and plan.unprobed else ""


def _measured(results: Path) -> list[Measured]:
    from harness.store.measured_work import measured_work

    # A dry run makes no database where there is nothing to put into it.
    return measured_work(results) if (results / "runs").is_dir() else []
