"""`minizoo db`: the results database, which is made from the records and safe to delete."""

from __future__ import annotations

from pathlib import Path

import click

from minizoo.options import results_option
from minizoo.output import Output, json_option


@click.group()
def db() -> None:
    """Find, check or rebuild the results database."""


@db.command()
@results_option
@json_option
def path(results: Path, as_json: bool) -> None:
    """Print where the database is, after catching up with the records."""
    from harness.store.catch_up import catch_up
    from harness.store.connection import database_path

    taken = catch_up(results)
    output = Output(as_json)
    if as_json:
        output.document("db-path", {"path": str(database_path(results)), "records_taken_in": taken})
    else:
        output.text(str(database_path(results)))


@db.command()
@results_option
@json_option
def check(results: Path, as_json: bool) -> int:
    """Compare the database with the records: none missing, none twice, none unreadable."""
    from harness.store.check import check as check_store

    found = check_store(results)
    output = Output(as_json)
    if as_json:
        output.document("db-check", {"records": found.records, "runs": found.runs, "problems": list(found.problems)})
    else:
        for problem in found.problems:
            output.text(problem)
        verdict = f"{len(found.problems)} problems" if found.problems else "clean"
        output.text(f"{found.records} records of {found.runs} runs: {verdict}")
    return 4 if found.problems else 0


@db.command()
@results_option
@json_option
def rebuild(results: Path, as_json: bool) -> None:
    """Make the database anew from the records."""
    from harness.store.catch_up import rebuild as rebuild_store
    from harness.store.connection import database_path

    taken = rebuild_store(results)
    output = Output(as_json)
    if as_json:
        output.document("db-rebuild", {"path": str(database_path(results)), "records": taken})
    else:
        output.text(f"{database_path(results)}: {taken} records")
