"""Taking in: the new records of every run folder that changed, what follows from them, and nights, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.records.files import read_record
from harness.records.record import Record
from harness.store.connection import fetched
from harness.store.rows.beside import beside_rows
from harness.store.rows.names import Identity, shown_names
from harness.store.rows.protocols import expected_rows, protocol_row
from harness.store.rows.published import published_rows
from harness.store.rows.records import metric_rows, record_row
from harness.store.rows.tables import check_table, insert, insert_file
from harness.store.rows.verdicts import PAIRED, verdict_row
from harness.store.scan import RunFolder, scan
from harness.store.take_in_nights import insert_nights
from harness.store.take_in_speed import insert_speed
from zoo.errors import one_line
from zoo.registry.loader import Registry, load_registry

TABLES_BESIDE = ("samples.parquet", "trials.parquet")
"""Files beside a record that are copied into the database."""
RUNS_AT_ONCE = 250
"""Runs whose records are in memory together."""
IDENTITY = ("kind", "subject", "given_name", "location", "known_digest")
"""Columns of `records` that hold an Identity, in its order."""


def take_in(connection: Any, results: Path, part_by_part: bool = False) -> int:
    """Insert what is new and return the number of records; nothing is changed where it raises.

    `part_by_part` commits some runs at a time, which needs less memory: for a file that is thrown away where it raises.

    A record that cannot be read, or whose samples or trials were cut short, is noted in `bad_records`. NewerResults for one of
    a newer minizoo.
    """
    seen: dict[str, int] = dict(connection.execute("SELECT run_id, modified_ns FROM folders").fetchall())
    changed = [f for f in scan(results) if not f.modified_ns or seen.get(f.run_id) != f.modified_ns]
    registry = load_registry()
    connection.execute("BEGIN")
    try:
        runs: list[str] = []
        taken = 0
        for start in range(0, len(changed), RUNS_AT_ONCE):
            records = _new_records(connection, results, changed[start : start + RUNS_AT_ONCE])
            _insert(connection, records)
            runs += sorted({record.run_id for record, _ in records})
            taken += len(records)
            if part_by_part:
                connection.execute("COMMIT; BEGIN")
        if _insert_published(connection, registry):
            _insert_verdicts(connection, None)
        elif runs:
            _insert_verdicts(connection, runs)
        if runs:
            _give_names(connection, registry)
        insert_nights(connection, results)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return taken


def _new_records(connection: Any, results: Path, changed: Sequence[RunFolder]) -> list[tuple[Record, Path]]:
    """The records of those runs that the database does not have, each with its folder; unreadable ones are noted."""
    runs = [found.run_id for found in changed]
    known = set(
        connection.execute("SELECT run_id, task FROM records WHERE run_id IN (SELECT unnest(?))", [runs]).fetchall()
    )
    connection.execute("DELETE FROM bad_records WHERE string_split(path, '/')[-3] IN (SELECT unnest(?))", [runs])
    connection.execute("DELETE FROM folders WHERE run_id IN (SELECT unnest(?))", [runs])
    records: list[tuple[Record, Path]] = []
    bad: list[dict[str, Any]] = []
    for path in (path for found in changed for path in found.records):
        reading = path
        try:
            record = read_record(path)
            for table in TABLES_BESIDE:
                check_table(reading := path.with_name(table))
        except (OSError, ValueError) as error:
            bad.append({"path": reading.relative_to(results).as_posix(), "reason": one_line(error)})
            continue
        if (record.run_id, record.task) not in known:
            records.append((record, path.parent))
    insert(connection, "bad_records", bad)
    insert(connection, "folders", [{"run_id": f.run_id, "modified_ns": f.modified_ns} for f in changed])
    return records


def _insert(connection: Any, records: Sequence[tuple[Record, Path]]) -> None:
    insert(connection, "records", [record_row(record) for record, _ in records])
    insert(connection, "metrics", [row for record, folder in records for row in metric_rows(record, folder)])
    insert(connection, "run_protocols", [protocol_row(record) for record, _ in records])
    for record, folder in records:
        insert_file(connection, "sample_rows", record.run_id, record.task, folder / "samples.parquet")
    insert_speed(connection, records)
    insert(connection, "beside_rows", [row for record, _ in records for row in beside_rows(record)])


def _insert_published(connection: Any, registry: Registry) -> bool:
    """Copy the registry's published scores where the registry has changed since; returns whether it has."""
    if connection.execute("SELECT registry FROM meta").fetchall() == [(registry.state,)]:
        return False
    connection.execute("DELETE FROM published; DELETE FROM expected")
    insert(connection, "published", published_rows(registry))
    insert(connection, "expected", expected_rows(registry))
    connection.execute("UPDATE meta SET registry = ?", [registry.state])
    return True


def _insert_verdicts(connection: Any, runs: list[str] | None) -> None:
    """Judge the scores of those runs beside the published ones, or all scores anew."""
    if runs is None:
        connection.execute("DELETE FROM verdicts")
        pairs = connection.execute(PAIRED)
    else:
        connection.execute("DELETE FROM verdicts WHERE run_id IN (SELECT unnest(?))", [runs])
        pairs = connection.execute(f"{PAIRED} AND s.run_id IN (SELECT unnest(?))", [runs])
    insert(connection, "verdicts", [verdict_row(pair) for pair in fetched(pairs)])


def _give_names(connection: Any, registry: Registry) -> None:
    """Show every model by its name among all that the database now holds; only rows whose name changed are written."""
    listed = ", ".join(IDENTITY)
    rows = connection.execute(f"SELECT DISTINCT {listed}, model FROM records").fetchall()
    registered = {name.casefold() for model in registry.models.values() for name in model.names}
    now = {row: Identity(*row[:-1]) for row in rows}
    names = shown_names(set(now.values()), lambda name: name.casefold() in registered)
    for row, identity in now.items():
        if names[identity] != row[-1]:
            matches = " AND ".join(f"{column} IS NOT DISTINCT FROM ?" for column in (*IDENTITY, "model"))
            connection.execute(f"UPDATE records SET model = ? WHERE {matches}", [names[identity], *row])
