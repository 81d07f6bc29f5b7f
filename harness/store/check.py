"""Comparing the database with the records on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.records.files import read_record
from harness.records.record import Record
from harness.store.catch_up import catch_up
from harness.store.connection import connected, database_path, locked
from harness.store.scan import RunFolder, scan


@dataclass(frozen=True)
class Check:
    """What `minizoo db check` found; `problems` is empty when all is well."""

    records: int
    runs: int
    problems: tuple[str, ...]


def check(results: Path) -> Check:
    """Compare the two after catching up: no record missing, none twice, none unreadable. Changes no record."""
    catch_up(results)
    on_disk = {(found.run_id, record.task) for found in scan(results) for record in _readable(found)}
    with locked(results), connected(database_path(results), read_only=True) as connection:
        stored: list[tuple[str, str, int]] = connection.execute(
            "SELECT run_id, task, count(*) FROM records GROUP BY ALL"
        ).fetchall()
        bad: list[tuple[str, str]] = connection.execute("SELECT path, reason FROM bad_records ORDER BY path").fetchall()
        orphans: int = connection.execute(
            "SELECT count(*) FROM metrics m WHERE NOT EXISTS "
            "(SELECT 1 FROM records r WHERE r.run_id = m.run_id AND r.task = m.task)"
        ).fetchall()[0][0]
    known = {(run_id, task) for run_id, task, _ in stored}
    problems = [f"{run_id} {task}: on disk but not in the database" for run_id, task in sorted(on_disk - known)]
    problems += [f"{run_id} {task}: in the database but not on disk" for run_id, task in sorted(known - on_disk)]
    problems += [f"{run_id} {task}: {times} times in the database" for run_id, task, times in stored if times > 1]
    problems += [f"{path}: {reason}" for path, reason in bad]
    problems += [f"{orphans} scores without a record"] if orphans else []
    return Check(len(known), len({run_id for run_id, _ in known}), tuple(problems))


def _readable(found: RunFolder) -> Iterator[Record]:
    for path in found.records:
        with contextlib.suppress(OSError, ValueError):
            yield read_record(path)
