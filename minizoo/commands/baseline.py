"""`minizoo baseline`: runs that others are held against, in a file that belongs into git."""

from __future__ import annotations

from pathlib import Path

import click

from minizoo.options import results_option
from minizoo.output import Output, json_option

file_option = click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("baselines.yaml"),
    show_default=True,
    help="File of the baselines; their bundles are in baselines/ beside it.",
)


@click.group()
def baseline() -> None:
    """Accept a run as the one to compare with, or list those that were accepted."""


@baseline.command()
@click.argument("run")
@click.option("--reason", required=True, help="Why this run is right, in a sentence.")
@click.option("--by", help="Who accepts it; git's user.name where it is not given.")
@click.option("--name", help="The baseline's name; the model's where it is not given.")
@file_option
@results_option
@json_option
def accept(run: str, reason: str, by: str | None, name: str | None, file: Path, results: Path, as_json: bool) -> None:
    """Make RUN, a run's id or the beginning of one, the baseline of its model.

    Writes a bundle of its outcomes (hashes, values, log-probabilities of right answers; no prompt, no answer, no name of this
    machine), so that a fresh clone can compare with it. A run that failed in part, is invalid or was imported is refused.
    """
    from harness.baselines.accept import accept as accept_run
    from minizoo.display.gate.baselines import accepted_document, show_accepted

    accepted = accept_run(results, run, file, reason, by, name)
    output = Output(as_json)
    if as_json:
        output.document("baseline", accepted_document(accepted))
    else:
        show_accepted(output, accepted)


@baseline.command("list")
@file_option
@json_option
def list_baselines(file: Path, as_json: bool) -> int:
    """List the baselines of a file, each with whether its bundle is as it was accepted; exit code 4 where one is not."""
    from harness.baselines.file import load_baselines
    from minizoo.display.gate.baselines import list_document, show_list, states

    found = states(load_baselines(file), file.parent)
    output = Output(as_json)
    if as_json:
        output.document("baselines", list_document(file, found))
    else:
        show_list(output, file, found)
    return 4 if any(state.problem for state in found) else 0
