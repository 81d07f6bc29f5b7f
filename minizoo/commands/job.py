"""`minizoo job`: one job of a night, as a scheduler or `minizoo nightly` starts it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minizoo.output import Output, json_option, note

if TYPE_CHECKING:
    from harness.fleet.folders import NightFolder
    from harness.records.night import JobOutcome


@click.command()
@click.argument("job_id", metavar="ID")
@click.option(
    "--night", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the night, results/nights/….",
)  # fmt: skip
@click.option(
    "--jobs", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What `minizoo nightly --emit` wrote, instead of --night.",
)  # fmt: skip
@click.option(
    "--results", type=click.Path(file_okay=False, path_type=Path), envvar="MINIZOO_RESULTS",
    help="With --jobs: the shared results folder, where it has another path here than where the jobs were written.",
)  # fmt: skip
@json_option
def job(job_id: str, folder: Path | None, file: Path | None, results: Path | None, as_json: bool) -> int:
    """Run one job of a night, or go on with it, and leave its outcome in the night's folder.

    ID is a job's name or its number from 1, as arrays of schedulers count. A job that has its outcome is not run again,
    unless its surroundings failed it. Exit code 0 done, 1 failed, 4 its surroundings failed, 130 stopped from outside: the same
    command goes on.
    """
    if (folder is None) == (file is None):
        raise click.UsageError("Give either --night or --jobs.")
    from harness.fleet.folders import NightFolder
    from harness.fleet.jobs.run import run_job
    from harness.fleet.night.files import emitted, find_job, read_night
    from harness.fleet.processes import stopped_by_signals

    place, night = emitted(file, results) if file else (NightFolder(folder or Path()), read_night(folder or Path()))
    with stopped_by_signals():
        outcome = run_job(place, night, find_job(night, job_id))
    return _shown(Output(as_json), outcome, place)


def _shown(output: Output, outcome: JobOutcome, place: NightFolder) -> int:
    code = {"done": 0, "failed": 1, "infra_failed": 4}.get(outcome.status, 130)
    if output.as_json:
        output.document("job", {**outcome.model_dump(mode="json"), "exit_code": code})
        return code
    runs = ", ".join(run.run_id for run in outcome.runs)
    tries = len(outcome.attempts)
    output.text(
        f"{outcome.job}: {outcome.status} in {tries} attempt{'' if tries == 1 else 's'}{f' (run {runs})' if runs else ''}"
    )
    for told in outcome.told:
        output.text(f"  {told.text}")
    if outcome.text:
        note(outcome.text)
    output.text(f"Outcome: {place.job(outcome.job).outcome}")
    return code
