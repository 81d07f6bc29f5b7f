"""A night from its lock to its exit code: begun or gone on with, run, gathered, judged, told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.fleet.executor import Executor
from harness.fleet.folders import NightFolder
from harness.fleet.jobs.run import is_held
from harness.fleet.night.alarms import Evidence, Judged, RunAgain, judged
from harness.fleet.night.begin import Begun, begin, discard, unfinished
from harness.fleet.night.exit_code import exit_code
from harness.fleet.night.files import earlier_outcomes
from harness.fleet.night.lock import night_lock
from harness.fleet.night.loop import Jobs, Watch
from harness.fleet.night.retention import clear_jobs, forget_samples
from harness.fleet.plan.best import told_best
from harness.fleet.plan.loading import PlanFile
from harness.gates.outcome import GateOutcome
from harness.records.night import Finding, Job, JobOutcome, Night, NightOutcome
from zoo.errors import JobRunning, NothingToCollect
from zoo.files import write_atomically


@dataclass(frozen=True)
class Telling:
    """What is made of a night's end, by functions of the rooms above."""

    report: Callable[[NightFolder, Night, NightOutcome, GateOutcome | None], None]
    """Writes the report's files, before the outcome is final."""
    site: Callable[[NightFolder, NightOutcome], None]
    """Makes the site, and tells others, after it."""
    watch: Watch


@dataclass(frozen=True)
class NightEnd:
    """A night that is over."""

    folder: NightFolder
    night: Night
    outcome: NightOutcome


def run_night(plan: PlanFile, results: Path, executor: Executor, telling: Telling, fresh: bool = False) -> NightEnd:
    """Run the plan's night, or go on with the one that was broken off; all of it is on disk when this returns.

    An unfinished night whose time is over is closed first, with what it has. A KeyboardInterrupt leaves everything for the same
    call to go on with. Raises NightRunning, and what compiling, judging and reporting raise.
    """
    with night_lock(results, plan.plan.name):
        found = unfinished(plan, results, datetime.now(UTC))
        if found and fresh:
            discard(found)
            found = None
        if found and found.overdue:
            telling.watch.said(
                f"The night of {found.night.started_at:%Y-%m-%d %H:%M} UTC is overdue: it is closed, a new one begins."
            )
            _closed(plan, found, telling, "its time was over when the plan was called again")
            found = None
        begun = found or begin(plan, results, datetime.now(UTC))
        telling.watch.said(
            f"Night {begun.night.id}{' goes on' if begun.went_on else ''}: {len(begun.night.jobs)} jobs."
        )
        return _ended(plan, begun, telling, executor)


def give_out(plan: PlanFile, results: Path, fresh: bool = False) -> Begun:
    """A night for a scheduler to run: a new one, or the one that is not finished. Raises as `run_night`."""
    with night_lock(results, plan.plan.name):
        found = unfinished(plan, results, datetime.now(UTC))
        if found and fresh:
            discard(found)
            found = None
        return found if found and not found.overdue else begin(plan, results, datetime.now(UTC))


def collect(plan: PlanFile, results: Path, telling: Telling) -> NightEnd:
    """Gather and judge the plan's unfinished night, whose jobs a scheduler has run; nothing is run.

    NothingToCollect where there is none, JobRunning where one of its jobs runs still; else as `run_night`.
    """
    with night_lock(results, plan.plan.name):
        found = unfinished(plan, results, datetime.now(UTC))
        if found is None:
            raise NothingToCollect(
                f"There is no unfinished night of {plan.path} in {results}.",
                "`minizoo nightly --emit jobs.json` begins one; a plan that was changed since is another plan.",
            )
        for job in found.night.jobs:
            if is_held(found.folder.job(job.id)):
                raise JobRunning(f"{job.id} still runs.", "Collect when all jobs have ended.")
        return _closed(plan, found, telling, "no scheduler had run it when the night was collected")


def _closed(plan: PlanFile, begun: Begun, telling: Telling, why: str) -> NightEnd:
    """Close a night without running anything of it."""
    return _ended(plan, begun, telling, None, why)


def _ended(plan: PlanFile, begun: Begun, telling: Telling, executor: Executor | None, why: str = "") -> NightEnd:
    folder, night = begun.folder, begun.night
    if folder.outcome.exists():  # all but its site was there when it was broken off
        return _told(begun, telling, NightOutcome.model_validate_json(folder.outcome.read_bytes()))
    jobs = Jobs(folder, night.retries, begun.limits, telling.watch)
    if executor is None:
        jobs.close([job.id for job in jobs.known(night.jobs)], why)
    else:
        jobs.run(executor, night.jobs)
    outcomes = dict(jobs.outcomes)
    earlier, unread = earlier_outcomes(folder.results, night.id)
    found = judged(
        Evidence(plan, folder.results, night.jobs, outcomes, earlier),
        _again(jobs, executor, telling) if executor else None,
    )
    outcome = _outcome(begun, jobs, found, unread)
    best = told_best(night, outcome, folder.results)
    forgotten = forget_samples(folder.results, night.plan, plan.plan.retention.samples_nights, earlier, plan.baselines)
    outcome = outcome.model_copy(update={"findings": (*outcome.findings, *best, *forgotten)})
    folder.report.mkdir(exist_ok=True)
    telling.report(folder, night, outcome, found.gate)
    clear_jobs(folder, outcome.jobs)
    folder.untold.touch()
    write_atomically(folder.outcome, outcome.model_dump_json(indent=1).encode())
    return _told(begun, telling, outcome)


def _told(begun: Begun, telling: Telling, outcome: NightOutcome) -> NightEnd:
    telling.site(begun.folder, outcome)
    begun.folder.untold.unlink(missing_ok=True)
    return NightEnd(begun.folder, begun.night, outcome)


def _again(jobs: Jobs, executor: Executor, telling: Telling) -> RunAgain:
    """Runs jobs once more, within the night's limits."""

    def run_again(repeated: Sequence[Job]) -> dict[str, JobOutcome]:
        telling.watch.said(f"Run again before an alarm: {', '.join(job.recheck_of or job.id for job in repeated)}.")
        jobs.run(executor, repeated)
        return {job.id: jobs.outcomes[job.id] for job in repeated}

    return run_again


def _outcome(begun: Begun, jobs: Jobs, found: Judged, unread: Sequence[Finding]) -> NightOutcome:
    night = begun.night
    outcomes = tuple(jobs.outcomes[name] for name in jobs.jobs)
    own = [told for outcome in outcomes for told in outcome.told]
    stopped = (
        [Finding(kind="undecided", about=night.plan, text=f"Not all jobs were begun: {jobs.stopped}.")]
        if jobs.stopped
        else []
    )
    findings = (*found.findings, *jobs.findings, *stopped, *own, *night.told, *begun.told, *unread)
    planned = [one for one in outcomes if jobs.jobs[one.job].recheck_of is None]
    return NightOutcome(
        id=night.id,
        plan=night.plan,
        plan_digest=night.plan_digest,
        started_at=night.started_at,
        ended_at=datetime.now(UTC),
        exit_code=exit_code(planned, findings, found.gate),
        jobs=outcomes,
        findings=tuple(dict.fromkeys(findings)),
        canary=found.canary,
    )
