"""Opening the results database: one lock for every use of it, and no connection that outlives its call."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo.errors import Busy, ResultsMissing

STORAGE_VERSION = "v1.4.0"
LOCK_SECONDS = 120
"""Another process's writes take seconds."""


def database_path(results: Path) -> Path:
    """Where the database of a results folder is."""
    return results / "minizoo.duckdb"


@contextlib.contextmanager
def locked(results: Path) -> Generator[None]:
    """Hold the results folder's database. ResultsMissing where there is no folder, Busy where another process keeps it."""
    if not results.is_dir():
        raise ResultsMissing(
            f"There is no results folder {results}.", "Run `minizoo eval` first, or give --results DIR."
        )
    lock = FileLock(results / ".minizoo.duckdb.lock")
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        raise Busy(
            f"Another minizoo process has held {lock.lock_file} for {LOCK_SECONDS} s.",
            "Wait for it, or end it and run `minizoo db check`.",
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def connected(path: Path, read_only: bool = False) -> Generator[Any]:
    """A connection to that file in UTC, created in a form that DuckDB 1.4 opens; closed at the end."""
    import duckdb

    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    try:
        how = "READ_ONLY" if read_only else f"STORAGE_VERSION '{STORAGE_VERSION}'"
        escaped = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{escaped}' AS minizoo ({how}); USE minizoo; SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def fetched(cursor: Any) -> list[dict[str, Any]]:
    """Every row of an executed query, by column name."""
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
