"""Rows taken into a database of their own first: what the results database would break with is found before it has it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.bundles.unpack import BundledRecord
from harness.records.files import write_record
from harness.store.check import check
from harness.store.connection import connected, database_path
from zoo.errors import NotWritable

VIEWS = "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY view_name"


def rehearse(rows: Sequence[BundledRecord]) -> None:
    """Write the rows to a folder that is then removed, take them in, and read every view.

    Numbers too large for a column, tables that another reader of Parquet refuses, times beyond a calendar: whatever breaks
    raises what it raises, ValueError where a record cannot be read again. NotWritable where there is no room for it.
    """
    with tempfile.TemporaryDirectory(prefix="minizoo-bundle-") as folder:
        results = Path(folder)
        try:
            for row in rows:
                write_record(results, row.record, tables=row.tables)
        except OSError as error:
            raise NotWritable(
                f"A bundle cannot be unpacked into {folder} ({error.strerror or error}).",
                "Free some space, or set TMPDIR to a folder that has some.",
            ) from error
        if problems := check(results).problems:
            raise ValueError(problems[0])
        with connected(database_path(results), read_only=True) as connection:
            for (view,) in connection.execute(VIEWS).fetchall():
                connection.execute(f'SELECT * FROM "{view}"').fetchall()
