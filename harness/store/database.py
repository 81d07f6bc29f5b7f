"""The results database: `results/minizoo.duckdb`, made from the records and safe to delete.

DuckDB lets one process write and locks readers out meanwhile, so every write happens under a file lock, in one short
transaction, and no connection outlives the call that opened it. There are no keys and no indexes: DuckDB's have corrupted
files, and at this size they buy nothing; `check` looks for duplicates instead. The file is created for DuckDB 1.4 and later.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.metrics.published import UNIT_OF
from harness.records.files import SAMPLE_COLUMNS, read_record
from harness.records.record import Record
from harness.store import reproduction_tables as protocols
from harness.store import speed_tables as speed
from harness.store.connection import connected, database_path, locked
from harness.store.scan import Found, scan
from zoo.errors import EnvironmentIssue
from zoo.registry.loader import load_registry

SCHEMA_VERSION = 4

RECORD_COLUMNS = {
    "run_id": "VARCHAR", "task": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "source": "VARCHAR",
    "model": "VARCHAR", "suite": "VARCHAR", "backend": "VARCHAR", "device": "VARCHAR", "gpu": "VARCHAR",
    "driver": "VARCHAR", "dtype": "VARCHAR", "shots": "BIGINT", "limit": "BIGINT", "truncated": "BIGINT",
    "started_at": "TIMESTAMPTZ", "finished_at": "TIMESTAMPTZ", "weights_digest": "VARCHAR", "seed": "BIGINT",
    "host": "VARCHAR", "platform": "VARCHAR", "versions": "VARCHAR", "git_sha": "VARCHAR", "command": "VARCHAR",
    "isolation": "VARCHAR", "record": "VARCHAR",
}  # fmt: skip
METRIC_COLUMNS = {
    "run_id": "VARCHAR", "task": "VARCHAR", "metric": "VARCHAR", "filter": "VARCHAR", "value": "DOUBLE",
    "stderr": "DOUBLE", "lower": "DOUBLE", "upper": "DOUBLE", "n": "BIGINT", "chance": "DOUBLE",
    "higher_is_better": "BOOLEAN", "raw_value": "DOUBLE", "total": "BIGINT", "clusters": "BIGINT",
    "whole_stderr": "DOUBLE", "decoding_stderr": "DOUBLE", "fewshot_draws": "BIGINT", "fewshot_sd": "DOUBLE",
}  # fmt: skip
TABLES = {
    "meta": {"schema_version": "BIGINT", "registry": "VARCHAR"},
    "folders": {"run_id": "VARCHAR", "modified_ns": "BIGINT"},
    "records": RECORD_COLUMNS,
    "metrics": METRIC_COLUMNS,
    "sample_rows": {"run_id": "VARCHAR", "task": "VARCHAR", **SAMPLE_COLUMNS},
    "published": {
        "model": "VARCHAR", "task": "VARCHAR", "metric": "VARCHAR", "filter": "VARCHAR", "shots": "BIGINT",
        "value": "DOUBLE", "raw_value": "DOUBLE", "unit": "VARCHAR", "higher_is_better": "BOOLEAN",
        "origin": "VARCHAR", "quote": "VARCHAR",
    },
    "bad_records": {"path": "VARCHAR", "reason": "VARCHAR"},
    **speed.TABLES,
    **protocols.TABLES,
}  # fmt: skip


@dataclass(frozen=True)
class Check:
    """What `minizoo db check` found; `problems` is empty when all is well."""

    records: int
    runs: int
    problems: tuple[str, ...]


def query(results: Path, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Catch up with the records, run one read-only query and return its rows as dictionaries."""
    catch_up(results)
    with locked(results), connected(database_path(results), read_only=True) as connection:
        cursor = connection.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def catch_up(results: Path) -> int:
    """Take in the records that the database has not seen and return how many.

    Creates the database when there is none, and makes it anew when its schema is another version's or it cannot be read.
    """
    with locked(results):
        path = database_path(results)
        if path.exists() and not _is_current(path):
            _remove(path)
        if not path.exists():
            return _build(results)
        with connected(path) as connection:
            return _take_in(connection, results)


def rebuild(results: Path) -> int:
    """Make the database anew from the records and put it in place of the old one; returns the number of records."""
    with locked(results):
        return _build(results)


def check(results: Path) -> Check:
    """Compare the database with the records on disk: none missing, none twice, none unreadable. Reads only."""
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


def _build(results: Path) -> int:
    """Build beside the old file and rename: a reader of the old one keeps what it has open."""
    path = database_path(results)
    temporary = path.with_suffix(".duckdb.part")
    _remove(temporary)
    with connected(temporary) as connection:
        for name, columns in TABLES.items():
            listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            connection.execute(f"CREATE TABLE {name} ({listed})")
        connection.execute(Path(__file__).with_name("views.sql").read_text("utf-8"))
        speed.create_speed_views(connection)
        protocols.create_view(connection)
        connection.execute("INSERT INTO meta VALUES (?, '')", [SCHEMA_VERSION])
        taken = _take_in(connection, results)
        connection.execute("CHECKPOINT")
    _remove(path, also_main=False)
    temporary.replace(path)
    return taken


def _take_in(connection: Any, results: Path) -> int:
    """One transaction: the new records of every run folder that changed, and the registry's published scores."""
    seen: dict[str, int] = dict(connection.execute("SELECT run_id, modified_ns FROM folders").fetchall())
    changed = [f for f in scan(results) if not f.modified_ns or seen.get(f.run_id) != f.modified_ns]
    connection.execute("BEGIN")
    try:
        taken = _insert_runs(connection, results, changed) if changed else 0
        _insert_published(connection)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return taken


def _insert_runs(connection: Any, results: Path, changed: list[Found]) -> int:
    runs = [found.run_id for found in changed]
    known = set(
        connection.execute("SELECT run_id, task FROM records WHERE run_id IN (SELECT unnest(?))", [runs]).fetchall()
    )
    connection.execute("DELETE FROM bad_records WHERE string_split(path, '/')[-3] IN (SELECT unnest(?))", [runs])
    records: list[tuple[Record, Path]] = []
    bad: list[dict[str, Any]] = []
    for found in changed:
        for path in found.records:
            try:
                record = read_record(path)
            except (OSError, ValueError) as error:
                bad.append({"path": path.relative_to(results).as_posix(), "reason": " ".join(str(error).split())[:300]})
                continue
            if (record.run_id, record.task) not in known:
                records.append((record, path))
    _insert(connection, "records", [_record_row(record) for record, _ in records])
    _insert(connection, "metrics", [row for record, _ in records for row in _metric_rows(record)])
    _insert(connection, "run_protocols", [protocols.protocol_row(record) for record, _ in records])
    _insert(connection, "bad_records", bad)
    for table in speed.TABLES:
        _insert(connection, table, [row for record, _ in records for row in speed.rows_of(record).get(table, ())])
    for record, path in records:
        _insert_samples(connection, record, path.with_name("samples.parquet"))
        speed.insert_trials(connection, record, path.with_name("trials.parquet"))
    connection.execute("DELETE FROM folders WHERE run_id IN (SELECT unnest(?))", [runs])
    _insert(connection, "folders", [{"run_id": f.run_id, "modified_ns": f.modified_ns} for f in changed])
    return len(records)


def _insert(connection: Any, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Bulk insert through Arrow: DuckDB's row-by-row insert is a thousand times slower."""
    if not rows:
        return
    import pyarrow as pa

    columns = TABLES[table]
    types = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(),
             "TIMESTAMPTZ": pa.timestamp("us", tz="UTC")}  # fmt: skip
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    connection.register("incoming", pa.Table.from_pylist(list(rows), schema=schema))
    connection.execute(f"INSERT INTO {table} SELECT * FROM incoming")
    connection.unregister("incoming")


def _insert_samples(connection: Any, record: Record, path: Path) -> None:
    if path.is_file():
        names = ", ".join(SAMPLE_COLUMNS)
        connection.execute(
            f"INSERT INTO sample_rows SELECT ?, ?, {names} FROM read_parquet(?)",
            [record.run_id, record.task, str(path)],
        )


def _insert_published(connection: Any) -> None:
    """Copy the registry's published scores when the registry has changed since."""
    registry = load_registry()
    state = f"{registry.path}:{registry.path.stat().st_mtime_ns}"
    if connection.execute("SELECT registry FROM meta").fetchall()[0][0] == state:
        return
    connection.execute("DELETE FROM published")
    _insert(
        connection,
        "published",
        [
            {
                "model": model.id, "task": score.task, "metric": score.metric, "filter": score.filter,
                "shots": score.shots, "value": score.value / UNIT_OF[score.unit], "raw_value": score.value,
                "unit": score.unit, "higher_is_better": True, "origin": score.source_id, "quote": score.quote,
            }
            for model in registry.models.values()
            for score in model.published_scores
        ],
    )  # fmt: skip
    connection.execute("DELETE FROM expected")
    _insert(connection, "expected", protocols.expected_rows(registry))
    connection.execute("UPDATE meta SET registry = ?", [state])


def _record_row(record: Record) -> dict[str, Any]:
    row = {
        **record.subject.model_dump(include={"weights_digest"}),
        **record.setting.model_dump(exclude={"versions"}),
        **record.model_dump(include={"run_id", "task", "status", "reason", "suite", "shots", "limit", "isolation"}),
        "model": record.subject.id,
        "source": record.source,
        "truncated": record.counts.truncated if record.counts else None,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "versions": json.dumps(record.setting.versions, sort_keys=True),
        "record": record.model_dump_json(),
    }
    return {name: row[name] for name in RECORD_COLUMNS}


def _metric_rows(record: Record) -> list[dict[str, Any]]:
    return [
        {
            "run_id": record.run_id, "task": record.task, "raw_value": score.value,
            **score.model_dump(exclude={"draws"}), **protocols.fewshot_columns(score),
        }
        for score in record.scores
    ]  # fmt: skip


def _readable(found: Found) -> Iterator[Record]:
    for path in found.records:
        with contextlib.suppress(OSError, ValueError):
            yield read_record(path)


def _is_current(path: Path) -> bool:
    import duckdb

    try:
        with connected(path, read_only=True) as connection:
            return connection.execute("SELECT schema_version FROM meta").fetchall() == [(SCHEMA_VERSION,)]
    except duckdb.IOException as error:
        _, conflict, holder = " ".join(str(error).split()).partition("Conflicting lock")
        if conflict:
            raise EnvironmentIssue(
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
