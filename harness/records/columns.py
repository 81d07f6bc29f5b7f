"""Column types: the SQL names that tables are declared by, and Arrow's, by which they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TELEMETRY_COLUMNS: dict[str, str] = {
    "time_s": "DOUBLE",
    "power_w": "DOUBLE",
    "sm_mhz": "DOUBLE",
    "memory_mhz": "DOUBLE",
    "temperature_c": "DOUBLE",
    "clock_events": "BIGINT",
    "used_bytes": "BIGINT",
    "ecc_uncorrected": "BIGINT",
    "other_processes": "BIGINT",
    "others_busy": "DOUBLE",
}
"""Columns of telemetry.parquet, on the clock of trials.parquet. What a machine does not tell is null. `clock_events` are
NVML's clock event (throttle) bits; `others_busy` the processors that other processes kept busy since the sample before."""


def arrow_schema(columns: Mapping[str, str]) -> Any:
    """The Arrow schema of columns declared by SQL types: `{"run_id": "VARCHAR", "token_s": "DOUBLE[]"}`."""
    import pyarrow as pa

    types = {
        "VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(),
        "DOUBLE[]": pa.list_(pa.float64()), "TIMESTAMPTZ": pa.timestamp("us", tz="UTC"),
    }  # fmt: skip
    return pa.schema([(name, types[kind]) for name, kind in columns.items()])
