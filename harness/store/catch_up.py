"""The results database `results/minizoo.duckdb`: made from the records, caught up with them, safe to delete.

DuckDB lets one process write and locks readers out meanwhile, so every write happens under a file lock, in one short
transaction, and no connection outlives the call that opened it. There are no keys and no indexes: DuckDB's have corrupted
files, and at this size they buy nothing; `check` looks for duplicates instead. The file is created for DuckDB 1.4 and later.
"""

from __future__ import annotations

from pathlib import Path

from harness.stats import constants
from harness.store.connection import connected, database_path, locked
from harness.store.rows.tables import SCHEMA_VERSION, create
from harness.store.take_in import take_in
from zoo.errors import Busy


def catch_up(results: Path) -> int:
    """Take in the records that the database has not seen and return how many.

    Creates the database when there is none, and makes it anew when it is of another schema or another rule of statistics, or
    cannot be read. Durable when it returns. Raises ResultsMissing, Busy, and NewerResults where a record was written by a
    newer minizoo: then nothing is taken in.
    """
    with locked(results):
        path = database_path(results)
        if path.exists() and not _is_current(path):
            _remove(path)
        if not path.exists():
            return _build(results)
        with connected(path) as connection:
            return take_in(connection, results)


def rebuild(results: Path) -> int:
    """Make the database anew from the records and put it in place of the old one; returns the number of records."""
    with locked(results):
        return _build(results)


def _build(results: Path) -> int:
    """Build beside the old file and rename: a reader of the old one keeps what it has open."""
    path = database_path(results)
    temporary = path.with_suffix(".duckdb.part")
    _remove(temporary)
    with connected(temporary) as connection:
        create(connection)
        connection.execute("INSERT INTO meta VALUES (?, ?, '')", [SCHEMA_VERSION, constants.RULE_VERSION])
        taken = take_in(connection, results, part_by_part=True)
        connection.execute("CHECKPOINT")
    _remove(path, also_main=False)
    temporary.replace(path)
    return taken


def _is_current(path: Path) -> bool:
    import duckdb

    try:
        with connected(path, read_only=True) as connection:
            made_by = connection.execute("SELECT schema_version, rule FROM meta").fetchall()
            return made_by == [(SCHEMA_VERSION, constants.RULE_VERSION)]
    except duckdb.IOException as error:
        _, conflict, holder = " ".join(str(error).split()).partition("Conflicting lock")
        if conflict:
            raise Busy(
                f"{path} is open in another program ({conflict}{holder[:200]}).",
                "Close it there and try again.",
            ) from None
        return False
    except duckdb.Error:
        return False


def _remove(path: Path, also_main: bool = True) -> None:
    path.with_name(path.name + ".wal").unlink(missing_ok=True)
    if also_main:
        path.unlink(missing_ok=True)
