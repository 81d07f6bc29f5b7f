"""The tables beside a bundled record, trials and telemetry: Parquet of exactly the columns that minizoo writes."""

from __future__ import annotations

from typing import Any

from harness.bundles.manifest import AGAIN
from harness.metrics.speed_metrics import TRIAL_COLUMNS
from harness.records.columns import TELEMETRY_COLUMNS, arrow_schema
from zoo.errors import InvalidBundle, one_line

COLUMNS = {"trials": TRIAL_COLUMNS, "telemetry": TELEMETRY_COLUMNS}
MOST_ROWS = 1_000_000
MOST_VALUES = 20_000_000
"""Of all columns: a small file can say one value a billion times."""


def read_table(kind: str, content: bytes, where: str) -> Any:
    """The Arrow table that the bytes of `trials` or `telemetry` hold; InvalidBundle for any other bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        if fault := _too_much(file.metadata) or _other_columns(file.schema_arrow, COLUMNS[kind]):
            raise InvalidBundle(f"{where} is no table of {kind}: {fault}.", AGAIN)
        return file.read()
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError) as error:
        raise InvalidBundle(f"{where} cannot be read as Parquet ({one_line(error)[:200]}).", AGAIN) from None


def _too_much(metadata: Any) -> str | None:
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    values = sum(group.column(column).num_values for group in groups for column in range(group.num_columns))
    return "it has too many rows" if metadata.num_rows > MOST_ROWS or values > MOST_VALUES else None


def _other_columns(schema: Any, columns: dict[str, str]) -> str | None:
    expected = arrow_schema(columns)
    if schema.names != expected.names:
        return "it has other columns"
    other = [name for name in expected.names if not _same(schema.field(name).type, expected.field(name).type)]
    return f"column {other[0]} is of another type" if other else None


def _same(found: Any, expected: Any) -> bool:
    """Whether two types are one; what a list's field is called depends on the version that wrote the file."""
    import pyarrow as pa

    if pa.types.is_list(expected):
        return pa.types.is_list(found) and found.value_type == expected.value_type
    return found == expected
