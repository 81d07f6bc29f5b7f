"""The rows of scoring beside another engine. The ratio is derived where it is shown."""

from __future__ import annotations

from typing import Any

from harness.records.beside_record import Agreement
from harness.records.record import Record
from harness.store.rows.tables import KEY, TABLES


def beside_rows(record: Record) -> list[dict[str, Any]]:
    """The row of `beside_rows`; none of a record that scored beside nothing."""
    beside = record.beside
    if beside is None:
        return []
    return [
        {
            "run_id": record.run_id,
            "task": record.task,
            **beside.model_dump(include=set(TABLES["beside_rows"]) - set(KEY)),
            **_columns(beside.agreement, "{}"),
            **_columns(beside.from_fp32, "{}_from_fp32"),
            **_columns(beside.reference_from_fp32, "reference_{}_from_fp32"),
        }
    ]


def _columns(agreement: Agreement | None, name: str) -> dict[str, Any]:
    """Its flips and largest difference, under the names that they have for that pair of engines."""
    flips, largest = (None, None) if agreement is None else (agreement.flips, agreement.largest)
    return {name.format("flips"): flips, name.format("largest"): largest}
