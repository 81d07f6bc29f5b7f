"""The tables of the results database, each a mapping of columns to SQL types, and the one way rows get into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.metrics.speed_metrics import TRIAL_COLUMNS, create_views
from harness.records.columns import arrow_schema
from harness.records.files import SAMPLE_COLUMNS
from harness.store.rows.nights import NIGHT_TABLES

SCHEMA_VERSION = 11

KEY = {"run_id": "VARCHAR", "task": "VARCHAR"}
TABLES: Mapping[str, Mapping[str, str]] = {
    "meta": {"schema_version": "BIGINT", "rule": "VARCHAR", "registry": "VARCHAR"},
    "folders": {"run_id": "VARCHAR", "modified_ns": "BIGINT"},
    "bad_records": {"path": "VARCHAR", "reason": "VARCHAR"},
    "records": {
        **KEY, "status": "VARCHAR", "reason": "VARCHAR", "code": "VARCHAR", "source": "VARCHAR",
        "model": "VARCHAR", "parent": "VARCHAR", "suite": "VARCHAR", "backend": "VARCHAR", "device": "VARCHAR",
        "gpu": "VARCHAR", "driver": "VARCHAR", "dtype": "VARCHAR", "shots": "BIGINT", "limit": "BIGINT",
        "truncated": "BIGINT", "started_at": "TIMESTAMPTZ", "finished_at": "TIMESTAMPTZ", "weights_digest": "VARCHAR",
        "seed": "BIGINT", "host": "VARCHAR", "platform": "VARCHAR", "versions": "VARCHAR", "git_sha": "VARCHAR",
        "command": "VARCHAR", "isolation": "VARCHAR", "kind": "VARCHAR", "subject": "VARCHAR", "given_name": "VARCHAR",
        "location": "VARCHAR", "known_digest": "VARCHAR", "compute_dtype": "VARCHAR", "processor": "VARCHAR",
        "run_started_at": "TIMESTAMPTZ", "wall_s": "DOUBLE", "requests": "BIGINT", "reused": "BIGINT",
        "asked_tokens": "BIGINT", "computed_tokens": "BIGINT", "scoring_s": "DOUBLE", "new_tokens": "BIGINT",
        "generating_s": "DOUBLE", "flops_per_token": "BIGINT", "contributed_by": "VARCHAR", "conformance": "VARCHAR",
        "record": "VARCHAR",
    },
    "metrics": {
        **KEY, "metric": "VARCHAR", "filter": "VARCHAR", "value": "DOUBLE", "stderr": "DOUBLE", "lower": "DOUBLE",
        "upper": "DOUBLE", "n": "BIGINT", "chance": "DOUBLE", "higher_is_better": "BOOLEAN", "raw_value": "DOUBLE",
        "total": "BIGINT", "clusters": "BIGINT", "whole_stderr": "DOUBLE", "decoding_stderr": "DOUBLE",
        "fewshot_draws": "BIGINT", "fewshot_sd": "DOUBLE", "rule": "VARCHAR",
    },
    "sample_rows": {**KEY, **SAMPLE_COLUMNS},
    "published": {
        "model": "VARCHAR", "task": "VARCHAR", "metric": "VARCHAR", "filter": "VARCHAR", "shots": "BIGINT",
        "value": "DOUBLE", "raw_value": "DOUBLE", "unit": "VARCHAR", "higher_is_better": "BOOLEAN",
        "origin": "VARCHAR", "quote": "VARCHAR",
    },
    "run_protocols": {
        **KEY, "in_registry": "BOOLEAN", "metric": "VARCHAR", "filter": "VARCHAR", "samples_each": "BIGINT",
        "temperature": "DOUBLE", "top_p": "DOUBLE", "share": "DOUBLE", "margin": "DOUBLE", "departure": "VARCHAR",
    },
    "expected": {
        "model": "VARCHAR", "task": "VARCHAR", "metric": "VARCHAR", "filter": "VARCHAR", "shots": "BIGINT",
        "value": "DOUBLE", "rounding": "DOUBLE", "printed": "DOUBLE", "scale": "VARCHAR", "items": "BIGINT",
        "subset": "VARCHAR", "samples_each": "BIGINT", "temperature": "DOUBLE", "top_p": "DOUBLE",
        "revision": "VARCHAR", "protocol": "VARCHAR", "origin": "VARCHAR",
    },
    "verdicts": {
        **KEY, "metric": "VARCHAR", "filter": "VARCHAR", "published": "DOUBLE", "printed": "DOUBLE", "origin": "VARCHAR",
        "protocol": "VARCHAR", "published_shots": "BIGINT", "difference": "DOUBLE", "difference_lower": "DOUBLE",
        "difference_upper": "DOUBLE", "margin": "DOUBLE", "margin_basis": "VARCHAR", "verdict": "VARCHAR",
        "needs_n": "BIGINT", "reason": "VARCHAR",
    },
    "speed_points": {
        **KEY, "workload": "VARCHAR", "point": "VARCHAR", "input_tokens": "BIGINT", "output_tokens": "BIGINT",
        "batch": "BIGINT", "rate": "DOUBLE", "weights": "VARCHAR", "power_capped": "BOOLEAN", "valid": "BOOLEAN",
        "reasons": "VARCHAR", "reason_codes": "VARCHAR", "notes": "VARCHAR", "note_codes": "VARCHAR",
        "ttft_limit": "DOUBLE", "tpot_limit": "DOUBLE", "e2e_limit": "DOUBLE", "load_s": "DOUBLE",
        "first_call_s": "DOUBLE", "peak_allocator": "BIGINT",
        "peak_device": "BIGINT", "peak_resident": "BIGINT",
    },
    "speed_statistics": {
        **KEY, "metric": "VARCHAR", "statistic": "VARCHAR", "value": "DOUBLE", "lower": "DOUBLE", "upper": "DOUBLE",
        "n": "BIGINT", "confidence": "DOUBLE", "refused": "VARCHAR", "rule": "VARCHAR",
    },
    "speed_limits": {
        **KEY, "step": "VARCHAR", "against": "VARCHAR", "source": "VARCHAR", "roofline_s": "DOUBLE",
        "measured_s": "DOUBLE", "percent": "DOUBLE", "bound_by": "VARCHAR", "bytes_per_s": "DOUBLE",
        "flops_per_s": "DOUBLE", "bytes": "BIGINT", "flops": "BIGINT",
    },
    "speed_comparisons": {
        **KEY, "against": "VARCHAR", "mode": "VARCHAR", "batch": "BIGINT", "against_batch": "BIGINT",
        "memory_budget": "BIGINT", "metric": "VARCHAR", "ratio": "DOUBLE", "lower": "DOUBLE", "upper": "DOUBLE",
        "p_value": "DOUBLE", "n": "BIGINT", "against_n": "BIGINT", "against_run_id": "VARCHAR", "seed": "BIGINT",
        "resamples": "BIGINT", "valid": "BOOLEAN", "rule": "VARCHAR",
    },
    "trial_rows": {**KEY, **TRIAL_COLUMNS},
    "beside_rows": {
        **KEY, "reference": "VARCHAR", "weights": "VARCHAR", "tokenizer": "VARCHAR", "shots": "BIGINT", "documents": "BIGINT",
        "of": "BIGINT", "requests": "BIGINT", "seconds": "DOUBLE", "reference_seconds": "DOUBLE", "peak_bytes": "BIGINT",
        "reference_peak_bytes": "BIGINT", "flips": "BIGINT", "largest": "DOUBLE", "checked_documents": "BIGINT",
        "flips_from_fp32": "BIGINT", "largest_from_fp32": "DOUBLE", "reference_flips_from_fp32": "BIGINT",
        "reference_largest_from_fp32": "DOUBLE", "conforms": "BOOLEAN", "note": "VARCHAR",
    },
    **NIGHT_TABLES,
}  # fmt: skip
"""Of `records`, `model` is the shown name (`names`), `subject` the id as it was resolved; `kind`, `given_name`, `location` and
`known_digest` are what names are made from; `conformance` is what was known of an accuracy record's backend. `rule` names the
rule that derived a row's errors."""


def create(connection: Any) -> None:
    """Create every table and every view in an empty database."""
    for name, columns in TABLES.items():
        listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
        connection.execute(f"CREATE TABLE {name} ({listed})")
    create_views(connection)
    for views in ("main", "latest", "speed", "scoring", "series"):
        connection.execute((Path(__file__).parents[1] / "views" / f"{views}_views.sql").read_text("utf-8"))


def insert(connection: Any, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Bulk insert through Arrow: DuckDB's row-by-row insert is a thousand times slower."""
    if not rows:
        return
    import pyarrow as pa

    connection.register(
        "incoming", pa.Table.from_pylist([dict(row) for row in rows], schema=arrow_schema(TABLES[table]))
    )
    connection.execute(f"INSERT INTO {table} SELECT * FROM incoming")
    connection.unregister("incoming")


def check_table(path: Path) -> None:
    """ValueError or OSError for a Parquet file that was cut short, or is none; nothing where there is no file."""
    if path.is_file():
        import pyarrow.parquet as pq

        pq.read_schema(path)


def insert_file(connection: Any, table: str, run_id: str, task: str, path: Path) -> None:
    """Copy a record's Parquet file into its table, where there is one; columns that an older minizoo did not write are null."""
    if not path.is_file():
        return
    import pyarrow.parquet as pq

    there = set(pq.read_schema(path).names)
    names = ", ".join(name for name in TABLES[table] if name not in KEY and name in there)
    connection.execute(
        f"INSERT INTO {table} BY NAME SELECT ? AS run_id, ? AS task, {names} FROM read_parquet(?)",
        [run_id, task, str(path)],
    )
