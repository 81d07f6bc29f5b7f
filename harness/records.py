"""The immutable record that each finished task leaves: `results/runs/<date>/<run id>/<task>/record.json` and its samples.

A record is written once, whole, under its final name, and never changed. The database is made from these files alone.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import stdev
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from harness.durable import publish_folder
from harness.speed.facts import SpeedFacts

SCHEMA = "minizoo.record/1"
Status = Literal["ok", "failed", "infra_failed"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MetricScore(_Frozen):
    """One number of a task, in the metric's own unit as lm-eval prints it (accuracies 0–1)."""

    metric: str
    filter: str
    value: float | None
    stderr: float | None
    lower: float | None
    upper: float | None
    """Ends of the 95 % interval; None where none can be given."""
    n: int
    higher_is_better: bool
    chance: float | None
    """What guessing would score; None where that is unknown or means nothing."""
    clusters: int | None = None
    """Independent units that the n documents form, where several share one."""
    total: int | None = None
    """Documents of the whole task, of which n were chosen; None where n does not count documents."""
    whole_stderr: float | None = None
    """The standard error that is left when the question is what all of the task's documents would give."""
    decoding_stderr: float | None = None
    """The part of the standard error that comes from sampling the answers."""
    draws: tuple[float, ...] = ()
    """The value with each draw of few-shot examples, lm-eval's own first; empty where one draw was run."""

    @property
    def draws_sd(self) -> float | None:
        """Standard deviation over the draws; None for one draw."""
        return stdev(self.draws) if len(self.draws) > 1 else None


class Counts(_Frozen):
    """How much work a task was."""

    documents: int
    documents_total: int
    requests: int
    tokens: int
    truncated: int
    """Requests that lost tokens on the left to fit the context."""
    reused: int
    """Requests answered before the run was interrupted, and not computed again."""


class Subject(_Frozen):
    """What was measured: the model as it was resolved."""

    id: str
    source: str
    """Hub id, folder, or `minizoo` for weights that come with it."""
    revision: str | None
    weights_digest: str
    tokenizer_digest: str
    entry: dict[str, Any] | None
    """The registry entry as it stood; None for a model that has none."""


class Setting(_Frozen):
    """Where and how it was measured."""

    backend: str
    device: str
    dtype: str
    gpu: str | None
    driver: str | None
    host: str
    platform: str
    versions: dict[str, str]
    git_sha: str | None
    seed: int | None
    """None where an imported file does not tell."""
    command: str


class Imported(_Frozen):
    """Where an imported record was read."""

    tool: str
    tool_version: str | None
    file: str
    """The file's name, without its folder."""
    sha256: str
    time: Literal["stated", "file"]
    """Whether the record's times are those that the file states (UTC where it names no zone) or its modification time."""
    rest: dict[str, Any] = {}
    """What else the file says, as plain values by dotted name."""


class Record(_Frozen):
    """Everything about one task of one run."""

    schema_version: str = SCHEMA
    run_id: str
    task: str
    status: Status
    reason: str | None = None
    """Why it failed, in one sentence; None when it did not."""
    suite: str
    resolved_suite: dict[str, Any]
    task_version: str
    task_digest: str
    shots: int | None
    limit: int | None
    overflow: str
    members: tuple[str, ...] = ()
    """The leaf tasks of a group; empty for a task."""
    decoding: dict[str, Any] | None = None
    """Samples a document, temperature (0 is greedy) and top-p of a task that generates text."""
    isolation: str | None = None
    """How generated code was kept apart, where a task runs any."""
    chat_template: str | None = None
    """sha256 of the chat template that prompts went through, as lm-eval's `chat_template_sha`; None for plain text."""
    started_at: datetime
    finished_at: datetime
    subject: Subject
    setting: Setting
    counts: Counts | None
    scores: tuple[MetricScore, ...] = ()
    source: Literal["measured", "imported"] = "measured"
    imported: Imported | None = None
    """Of an imported record; None for what minizoo measured."""
    speed: SpeedFacts | None = None
    """Of a speed measurement; None for accuracy. A point's `task` is the workload's name and the point's."""


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
}
"""Columns of samples.parquet: a row for each document, metric and filter. A metric of (log-likelihood, weight) pairs keeps
both. `responses` is what the model answered to each request of the document, `filtered` what the filter made of it (JSON)."""


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
    results: Path, record: Record, samples: Sequence[dict[str, Any]] = (), tables: Mapping[str, Any] | None = None
) -> Path:
    """Write the record and its samples, whole or not at all, and return their folder.

    `tables`: further Arrow tables by name, written as `<name>.parquet`.

    Raises FileExistsError when the task is recorded already, OSError as the file system does.
    """
    final = run_folder(results, record.run_id) / folder_name(record.task)
    if final.exists():
        raise FileExistsError(f"{final} is there already")
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.parent / f".{final.name}.{os.getpid()}.part"
    shutil.rmtree(temporary, ignore_errors=True)
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


def read_record(path: Path) -> Record:
    """Read a record.json; pydantic's ValidationError (a ValueError) for anything else."""
    return Record.model_validate(json.loads(path.read_text("utf-8")))


def folder_name(task: str) -> str:
    """A task's name as one safe path component."""
    return re.sub(r"[^\w.@=+-]", "_", task)[:120].lstrip(".") or "task"


def _write_samples(path: Path, samples: Sequence[dict[str, Any]]) -> None:
    import pyarrow as pa

    types = {"BIGINT": pa.int64(), "VARCHAR": pa.string(), "DOUBLE": pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in SAMPLE_COLUMNS.items()])
    _write_table(path, pa.Table.from_pylist(list(samples), schema=schema))


def _write_table(path: Path, table: Any) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd")
