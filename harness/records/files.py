"""Records on disk: `results/runs/<date>/<run id>/<task>/record.json`, its samples, and who wrote them when.

A record is written once, whole, under its final name, and never changed. The database is made from these files alone.
"""

from __future__ import annotations

import glob
import json
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from harness.records.columns import arrow_schema
from harness.records.record import Record
from harness.records.versions import current
from zoo.files import publish_folder

SAMPLE_COLUMNS: dict[str, str] = {
    "doc_id": "BIGINT",
    "doc_hash": "VARCHAR",
    "occurrence": "BIGINT",
    "request_hash": "VARCHAR",
    "prompt_hash": "VARCHAR",
    "metric": "VARCHAR",
    "filter": "VARCHAR",
    "value": "DOUBLE",
    "weight": "DOUBLE",
    "target": "VARCHAR",
    "responses": "VARCHAR",
    "filtered": "VARCHAR",
    "cluster": "VARCHAR",
    "gold": "BIGINT",
    "gold_logprob": "DOUBLE",
    "length": "BIGINT",
}
"""Columns of samples.parquet: a row for each document, metric and filter. A metric of (log-likelihood, weight) pairs keeps
both. `responses` is what the model answered to each request of the document, `filtered` what the filter made of it (JSON).

`cluster` is the unit that the document shares with others, `gold` the right answer's place among the choices, `gold_logprob`
its Σ log p in nats, `length` the characters of the longest request; null where there is none. Files of before them lack them.
"""
TEXT_COLUMNS: dict[str, str] = {"prompt": "VARCHAR", "choices": "VARCHAR"}
"""Further columns of the file that no table of the database has, since they are long: what `harness.records.asked` tells of a
document's requests. `prompt` is the first request's context (`prompt_hash` is of it), `choices` the texts to choose from
(JSON), null where there were none. Older files lack them.
"""


def new_run_id() -> str:
    """A UUID version 7 (RFC 9562, 5.7): its order is the order in time."""
    moment = time.time_ns() // 1_000_000
    value = (moment << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def run_folder(results: Path, run_id: str) -> Path:
    """The folder of a run, filed under the UTC date that its id carries."""
    started = datetime.fromtimestamp(int(run_id.replace("-", "")[:12], 16) / 1000, UTC)
    return results / "runs" / started.strftime("%Y-%m-%d") / run_id


def write_record(
    results: Path, record: Record, samples: Sequence[Mapping[str, Any]] = (), tables: Mapping[str, Any] | None = None
) -> Path:
    """Write the record and its samples, whole or not at all, and return their folder.

    `tables`: further tables by name, written as `<name>.parquet`: Arrow's, or the bytes of a Parquet file as they are.

    Raises FileExistsError when the task is recorded already, OSError as the file system does.
    """
    final = run_folder(results, record.run_id) / folder_name(record.task)
    if final.exists():
        raise FileExistsError(f"{final} is there already")
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.parent / f".{final.name}.{os.getpid()}.part"
    for left in final.parent.glob(f".{glob.escape(final.name)}.*.part"):  # of a process that was killed in here
        shutil.rmtree(left, ignore_errors=True)
    temporary.mkdir()
    try:
        (temporary / "record.json").write_text(record.model_dump_json(indent=1) + "\n", "utf-8")
        if samples:
            _write_samples(temporary / "samples.parquet", samples)
        for name, table in (tables or {}).items():
            _write_table(temporary / f"{name}.parquet", table)
        publish_folder(temporary, final)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return final


def write_run(results: Path, run_id: str, made: Iterable[tuple[Record, Sequence[Mapping[str, Any]]]]) -> None:
    """Write all records of a run with their samples, or none: then nothing of it stays. Raises what the system does."""
    try:
        for record, samples in made:
            write_record(results, record, samples)
    except BaseException:
        shutil.rmtree(run_folder(results, run_id), ignore_errors=True)
        raise


def read_record(path: Path) -> Record:
    """Read a record.json of this version or an earlier one; NewerResults for a later one, ValueError for anything else."""
    document = json.loads(path.read_text("utf-8"))
    if not isinstance(document, dict):
        raise ValueError("it holds no JSON object")
    return Record.model_validate(current(cast("dict[str, Any]", document), path))


def folder_name(task: str) -> str:
    """A task's name as one safe path component."""
    return re.sub(r"[^\w.@=+-]", "_", task)[:120].lstrip(".") or "task"


def _write_samples(path: Path, samples: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow as pa

    rows = [{name: None if _is_none(value) else value for name, value in row.items()} for row in samples]
    _write_table(path, pa.Table.from_pylist(rows, schema=arrow_schema({**SAMPLE_COLUMNS, **TEXT_COLUMNS})))


def _is_none(value: Any) -> bool:
    """Whether a document's value is a number that is none: a task says so of documents that a metric does not count."""
    return isinstance(value, float) and not math.isfinite(value)


def _write_table(path: Path, table: Any) -> None:
    if isinstance(table, bytes):
        path.write_bytes(table)
        return
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd")
