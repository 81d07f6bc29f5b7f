"""A record's samples as columns: one `Items` a metric and filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.compare.items import Items, ScoreKey, TaskResult
from harness.records.columns import arrow_schema
from harness.records.files import SAMPLE_COLUMNS
from harness.records.gold import Answered, golds_of
from harness.records.record import Record
from zoo.errors import one_line

ABSENT = {"BIGINT": -1, "DOUBLE": float("nan"), "VARCHAR": None}
"""What stands in a column for what is not known."""
ACC = "acc"
"""The metric by which a place of the right answer is believed or not."""
Columns = Mapping[str, Any]


def results_of(record: Record, samples: Path) -> tuple[dict[ScoreKey, TaskResult], str | None]:
    """A record's scores, each with its documents where the file has them; and what is wrong with the file, in words."""
    columns, problem = _read(samples)
    return with_items(record, columns), problem


def with_items(record: Record, columns: Columns | None) -> dict[ScoreKey, TaskResult]:
    """A record's scores, each with the documents of its metric and filter."""
    found: dict[ScoreKey, TaskResult] = {}
    for score in record.scores:
        key = ScoreKey(record.task, score.metric, score.filter)
        items = None if columns is None else _items(columns, key)
        found[key] = TaskResult(key, record, score, items if items is not None and len(items) else None)
    return found


def columns_of(table: Any) -> Columns:
    """The columns of an Arrow table of samples, the right answers told where an older minizoo did not write them."""
    there = set(table.column_names)
    columns = {name: _column(table, name, kind, name in there) for name, kind in SAMPLE_COLUMNS.items()}
    return columns if "gold_logprob" in there else columns | _recovered(columns)


def columns_of_rows(rows: Sequence[Mapping[str, Any]]) -> Columns | None:
    """As `columns_of`, of rows that no file holds; None of no rows."""
    import pyarrow as pa

    return (
        columns_of(pa.Table.from_pylist(list(map(dict, rows)), schema=arrow_schema(SAMPLE_COLUMNS))) if rows else None
    )


def _read(path: Path) -> tuple[Columns | None, str | None]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return None, None
    try:
        return columns_of(pq.read_table(path)), None
    except (OSError, pa.ArrowException, KeyError) as error:
        return None, f"{path} cannot be read ({one_line(error)})"


def _column(table: Any, name: str, kind: str, there: bool) -> Any:
    import numpy as np

    absent, types = ABSENT[kind], {"BIGINT": np.int64, "DOUBLE": np.float64, "VARCHAR": object}
    if not there:
        return np.full(table.num_rows, absent, dtype=types[kind])
    column = table.column(name)
    if kind == "VARCHAR":
        return np.array(column.to_pylist(), dtype=object)
    return column.fill_null(absent).to_numpy().astype(types[kind])


def _items(columns: Columns, key: ScoreKey) -> Items:
    mask = (columns["metric"] == key.metric) & (columns["filter"] == key.filter)
    kept = {name: columns[name][mask] for name in SAMPLE_COLUMNS if name not in ("metric", "filter", "prompt_hash")}
    return Items(**kept)


def _recovered(columns: Columns) -> dict[str, Any]:
    """`gold` and `gold_logprob` from targets and responses, as far as they tell."""
    import numpy as np

    judged = zip(columns["doc_id"], columns["metric"], columns["value"], strict=True)
    accuracy = {doc_id: value for doc_id, metric, value in judged if metric == ACC}
    rows = zip(columns["doc_id"], columns["target"], columns["responses"], strict=True)
    golds = golds_of([Answered(target, responses, accuracy.get(doc_id)) for doc_id, target, responses in rows])
    return {
        "gold": np.array([-1 if gold.place is None else gold.place for gold in golds], dtype=np.int64),
        "gold_logprob": np.array(
            [np.nan if gold.logprob is None else gold.logprob for gold in golds], dtype=np.float64
        ),
    }
