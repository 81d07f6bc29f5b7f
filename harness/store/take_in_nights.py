"""Taking in finished nights: `nights/<id>/outcome.json`, the last file that a night writes, with its plan beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.records.night import Job, Night, NightOutcome
from harness.store.rows.nights import NIGHT_TABLES, NightRows
from harness.store.rows.tables import insert
from zoo.errors import one_line

NIGHTS = "nights"
"""As `harness.fleet.folders` has it, which is a storey higher."""


def insert_nights(connection: Any, results: Path) -> int:
    """Insert the finished nights that the database lacks, inside the caller's transaction, and return how many.

    An outcome is written once and never changed, so one that is known is not read again. What cannot be read is noted in
    `bad_records`, and the others go on; a night whose plan is gone is taken in without it.
    """
    known = {row[0] for row in connection.execute("SELECT night FROM nights").fetchall()}
    rows, bad = NightRows(), list[dict[str, Any]]()
    taken = 0
    for folder in _finished(results):
        if folder.name in known:
            continue
        try:
            outcome = _outcome(folder)
        except (OSError, ValueError) as error:
            bad.append(_bad(folder / "outcome.json", error))
            continue
        jobs: Sequence[Job] = ()
        try:
            jobs = Night.model_validate_json((folder / "night.json").read_bytes()).jobs
        except (OSError, ValueError) as error:
            bad.append(_bad(folder / "night.json", error))
        rows.add(outcome, jobs)
        taken += 1
    connection.execute(f"DELETE FROM bad_records WHERE path LIKE '{NIGHTS}/%/outcome.json'")
    insert(connection, "bad_records", bad)
    for table in NIGHT_TABLES:
        insert(connection, table, rows.of[table])
    return taken


def _finished(results: Path) -> list[Path]:
    """The folders of nights that have an outcome, oldest first: ids are in the order of time."""
    nights = results / NIGHTS
    if not nights.is_dir():
        return []
    return sorted(folder for folder in nights.iterdir() if (folder / "outcome.json").is_file())


def _outcome(folder: Path) -> NightOutcome:
    outcome = NightOutcome.model_validate_json((folder / "outcome.json").read_bytes())
    if outcome.id != folder.name:
        raise ValueError(f"it is of the night {outcome.id}, and lies in the folder of another")
    uneven = [one.job for one in outcome.canary if len(one.candidate) != len(one.canary)]
    if uneven:
        raise ValueError(f"candidate and canary of {', '.join(uneven)} have not equally many blocks")
    return outcome


def _bad(path: Path, error: Exception) -> dict[str, Any]:
    reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else one_line(error)
    return {"path": "/".join(path.parts[-3:]), "reason": reason}
