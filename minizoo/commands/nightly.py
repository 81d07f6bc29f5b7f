"""`minizoo nightly`: a plan's night, run here, on a Ray cluster or by a scheduler; gathered, judged and told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minizoo.options import command_words, results_option
from minizoo.output import Output, json_option, note
from zoo.errors import MinizooError, NotWritable

if TYPE_CHECKING:
    from harness.fleet.executor import Executor
    from harness.fleet.folders import NightFolder
    from harness.fleet.night.run import NightEnd, Telling
    from harness.fleet.plan.loading import PlanFile
    from harness.records.night import Job, JobOutcome, NightOutcome


@click.command()
@click.option(
    "--plan", "file", required=True, type=click.Path(path_type=Path),
    help="YAML file of models, suites, workloads and GPUs; docs/nightly.md describes it.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show the jobs, what they take and what they could detect; run nothing.")
@click.option(
    "--emit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Begin a night for a scheduler: write its jobs to FILE, each for `minizoo job ID --jobs FILE`, and run none.",
)  # fmt: skip
@click.option("--collect", is_flag=True, help="Gather and judge what a scheduler ran of the night; run nothing.")
@click.option("--ray", metavar="ADDRESS", help="Run the jobs on a Ray cluster: host:port, or auto.")
@click.option(
    "--notify", metavar="CMD", callback=command_words,
    help="At the end run CMD with the outcome as JSON on its standard input.",
)  # fmt: skip
@click.option("--fresh", is_flag=True, help="Begin a new night instead of going on with one that was broken off.")
@results_option
@json_option
def nightly(
    file: Path, dry_run: bool, emit: Path | None, collect: bool, ray: str | None, notify: tuple[str, ...], fresh: bool,
    results: Path, as_json: bool,
) -> int:  # fmt: skip
    """Run every job of a plan, judge the results against their baselines and the canary, and write a report.

    The same command goes on with a night that was broken off. Exit code 0 passed, 1 regressed or the machine itself changed, 3
    undecided or not all begun, 4 a job or its surroundings failed, 130 interrupted.
    """
    if sum((dry_run, emit is not None, collect, ray is not None)) > 1:
        raise click.UsageError("--dry-run, --emit, --collect and --ray exclude each other.")
    if fresh and (collect or dry_run):
        raise click.UsageError("--fresh begins a night, and neither --collect nor --dry-run does.")
    if notify and (dry_run or emit):
        raise click.UsageError("--notify tells of a night's end, and neither --dry-run nor --emit comes to it.")
    from harness.fleet.plan.loading import load_plan

    plan, output = load_plan(file), Output(as_json)
    if dry_run:
        return _plan(output, plan, results)
    if emit is not None:
        return _give_out(output, plan, results, emit, fresh)
    from harness.fleet.night.run import collect as gather
    from harness.fleet.night.run import run_night
    from harness.fleet.processes import stopped_by_signals

    with stopped_by_signals():
        telling = _telling(notify)
        done = gather(plan, results, telling) if collect else run_night(plan, results, _executor(ray), telling, fresh)
    return _show(output, done)


def _executor(ray: str | None) -> Executor:
    if ray is None:
        from harness.fleet.local import LocalExecutor

        return LocalExecutor()
    from harness.fleet.ray.executor import RayExecutor

    return RayExecutor(ray)


def _plan(output: Output, plan: PlanFile, results: Path) -> int:
    from datetime import UTC, datetime

    from harness.fleet.plan.compile import compile_night
    from harness.fleet.plan.cost import cost_of
    from harness.fleet.plan.detectable import detectable
    from minizoo.display.nightly.plan import show_plan

    night = compile_night(plan, results, datetime.now(UTC))
    show_plan(output, plan, night, cost_of(night, results), detectable(plan, night, results))
    return 0


def _give_out(output: Output, plan: PlanFile, results: Path, file: Path, fresh: bool) -> int:
    from harness.fleet.night.run import give_out
    from zoo.files import write_atomically

    begun = give_out(plan, results, fresh)
    night = begun.night.model_copy(update={"results": str(results.absolute())})
    try:
        write_atomically(file, night.model_dump_json(indent=1).encode())
    except OSError as error:
        raise NotWritable(
            f"{file} cannot be written ({error.strerror or error}).", "Give --emit another path."
        ) from None
    if output.as_json:
        told = {"night": night.id, "folder": str(begun.folder.path), "file": str(file), "went_on": begun.went_on}
        output.document("nightly-jobs", {**told, "jobs": [job.id for job in night.jobs]})
        return 0
    for finding in night.told:
        note(f"{finding.about}: {finding.text}")
    what = "goes on" if begun.went_on else "begins"
    output.text(f"Night {night.id} {what}: {len(night.jobs)} jobs in {file}.")
    output.text(f"Run `minizoo job N --jobs {file}` for each N from 1 to {len(night.jobs)}.")
    output.text(f"Then `minizoo nightly --plan {plan.path} --collect` judges them.")
    return 0


def _telling(notify: tuple[str, ...]) -> Telling:
    from harness.fleet.night.loop import Watch
    from harness.fleet.night.notify import notify as notified
    from harness.fleet.night.run import Telling
    from minizoo.display.nightly.report import write_report, write_site

    def ended(job: Job, outcome: JobOutcome) -> None:
        seconds = sum(attempt.seconds for attempt in outcome.attempts)
        note(f"{job.id}: {outcome.status}, {seconds:,.0f} s{f'. {outcome.text}' if outcome.text else ''}")

    def site(folder: NightFolder, outcome: NightOutcome) -> None:
        try:
            write_site(folder)
        except (MinizooError, OSError) as error:  # the verdict stands, and `minizoo report` makes a site at any time
            note(f"The site of the night was not made: {error}")
        if notify and (problem := notified(notify, outcome)):
            note(f"Nobody was told of the night's end: {problem}.")

    return Telling(write_report, site, Watch(note, ended))


def _show(output: Output, end: NightEnd) -> int:
    outcome = end.outcome
    if output.as_json:
        output.document(
            "nightly", {"folder": str(end.folder.path), **outcome.model_dump(mode="json", exclude={"schema_version"})}
        )
        return outcome.exit_code
    output.text((end.folder.report / "table.txt").read_text("utf-8").rstrip("\n"))
    output.text(f"Report: {end.folder.report}")
    return outcome.exit_code
