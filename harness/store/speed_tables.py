"""Speed in the results database: its tables, its views, and a record's rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.metrics.speed_metrics import TRIAL_COLUMNS, create_views

if TYPE_CHECKING:
    from harness.records.record import Record

TABLES: Mapping[str, Mapping[str, str]] = {
    "speed_points": {
        "run_id": "VARCHAR", "task": "VARCHAR", "workload": "VARCHAR", "point": "VARCHAR", "input_tokens": "BIGINT",
        "output_tokens": "BIGINT", "batch": "BIGINT", "rate": "DOUBLE", "weights": "VARCHAR", "power_capped": "BOOLEAN",
        "valid": "BOOLEAN", "reasons": "VARCHAR", "reason_codes": "VARCHAR", "notes": "VARCHAR",
        "note_codes": "VARCHAR", "ttft_limit": "DOUBLE", "tpot_limit": "DOUBLE",
        "e2e_limit": "DOUBLE", "load_s": "DOUBLE", "first_call_s": "DOUBLE", "peak_allocator": "BIGINT",
        "peak_device": "BIGINT", "peak_resident": "BIGINT",
    },
    "speed_statistics": {
        "run_id": "VARCHAR", "task": "VARCHAR", "metric": "VARCHAR", "statistic": "VARCHAR", "value": "DOUBLE",
        "lower": "DOUBLE", "upper": "DOUBLE", "n": "BIGINT", "confidence": "DOUBLE", "refused": "VARCHAR",
    },
    "speed_limits": {
        "run_id": "VARCHAR", "task": "VARCHAR", "step": "VARCHAR", "against": "VARCHAR", "source": "VARCHAR",
        "roofline_s": "DOUBLE", "measured_s": "DOUBLE", "percent": "DOUBLE", "bound_by": "VARCHAR",
        "bytes_per_s": "DOUBLE", "flops_per_s": "DOUBLE", "bytes": "BIGINT", "flops": "BIGINT",
    },
    "speed_comparisons": {
        "run_id": "VARCHAR", "task": "VARCHAR", "against": "VARCHAR", "mode": "VARCHAR", "batch": "BIGINT",
        "against_batch": "BIGINT", "memory_budget": "BIGINT", "metric": "VARCHAR", "ratio": "DOUBLE", "lower": "DOUBLE",
        "upper": "DOUBLE", "p_value": "DOUBLE", "n": "BIGINT", "against_n": "BIGINT", "against_run_id": "VARCHAR",
        "seed": "BIGINT", "resamples": "BIGINT", "valid": "BOOLEAN",
    },
    "trial_rows": {"run_id": "VARCHAR", "task": "VARCHAR", **TRIAL_COLUMNS},
}  # fmt: skip


def create_speed_views(connection: Any) -> None:
    """Everything that is derived; the tables above and `records` are there."""
    create_views(connection)
    connection.execute(Path(__file__).with_name("speed_views.sql").read_text("utf-8"))


def rows_of(record: Record) -> dict[str, list[dict[str, Any]]]:
    """The record's rows by table, without the raw trials; nothing for an accuracy record."""
    speed = record.speed
    if speed is None:
        return {}
    key = {"run_id": record.run_id, "task": record.task}
    point = {
        **speed.model_dump(include=set(TABLES["speed_points"])),
        "valid": speed.validity.valid,
        "reasons": "; ".join(reason.text for reason in speed.validity.reasons) or None,
        "reason_codes": "; ".join(reason.code for reason in speed.validity.reasons) or None,
        "notes": "; ".join(note.text for note in speed.validity.notes) or None,
        "note_codes": "; ".join(note.code for note in speed.validity.notes) or None,
        **{f"{name}_limit": speed.slo.get(name) for name in ("ttft", "tpot", "e2e")},
        **{f"peak_{name}": value for name, value in speed.memory.model_dump().items()},
    }
    listed = {
        "speed_statistics": speed.statistics,
        "speed_limits": speed.achieved,
        "speed_comparisons": speed.comparisons,
    }
    found: dict[str, list[dict[str, Any]]] = {"speed_points": [{**key, **point}]}
    for table, items in listed.items():
        found[table] = [{**key, **item.model_dump(include=set(TABLES[table]))} for item in items]
    return found


def insert_trials(connection: Any, record: Record, path: Path) -> None:
    """Copy a record's trials.parquet, where there is one."""
    if record.speed is not None and path.is_file():
        names = ", ".join(TRIAL_COLUMNS)
        connection.execute(
            f"INSERT INTO trial_rows SELECT ?, ?, {names} FROM read_parquet(?)", [record.run_id, record.task, str(path)]
        )
