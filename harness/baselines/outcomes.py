"""What a baseline keeps of a task's documents: how each was judged, and nothing of what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.records.columns import arrow_schema
from harness.records.files import SAMPLE_COLUMNS
from harness.records.gold import Answered, golds_of
from zoo.errors import BaselineRefused, one_line

LEFT_OUT = ("prompt_hash", "target", "responses", "filtered")
"""Texts of the data and of the model; the hash of all requests stands for the prompt's."""
OUTCOME_COLUMNS: Mapping[str, str] = {name: kind for name, kind in SAMPLE_COLUMNS.items() if name not in LEFT_OUT}
"""Columns of outcomes.parquet, a row for each document, metric and filter. `cluster` is a digest, for a passage is text."""
CLUSTER_DIGITS = 16


def outcomes_of(samples: Path) -> Any:
    """The Arrow table of outcomes.parquet from a task's samples.parquet.

    Right answers are told from the responses where an older minizoo kept no column of them. BaselineRefused for a file that
    cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(samples)
        rows: list[dict[str, Any]] = table.select(
            [name for name in SAMPLE_COLUMNS if name in table.column_names]
        ).to_pylist()
        if "gold_logprob" not in table.column_names:
            rows = _with_gold(rows)
        kept = [
            {name: row.get(name) for name in OUTCOME_COLUMNS} | {"cluster": _digest(row.get("cluster"))} for row in rows
        ]
        return pa.Table.from_pylist(kept, schema=arrow_schema(OUTCOME_COLUMNS))
    except (OSError, KeyError, pa.ArrowException) as error:
        raise BaselineRefused(
            f"{samples} cannot be read ({one_line(error)}), so its run cannot be a baseline.", "Measure again."
        ) from None


def _with_gold(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    acc = {row["doc_id"]: row["value"] for row in rows if row["metric"] == "acc"}
    golds = golds_of([Answered(row["target"], row["responses"], acc.get(row["doc_id"])) for row in rows])
    return [{**row, "gold": gold.place, "gold_logprob": gold.logprob} for row, gold in zip(rows, golds, strict=True)]


def _digest(cluster: str | None) -> str | None:
    return None if cluster is None else hashlib.sha256(cluster.encode()).hexdigest()[:CLUSTER_DIGITS]
