"""The newest good scores of one model, whole or of a part of the documents, with where each was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.records.record import precision
from harness.records.trained_on import MARK, TRAINED_ON, is_among, tasks_trained_on
from harness.store.query import Reader
from reports.cells import ABSENT
from reports.tables.scores import number
from reports.tables.table import Heading, Key, Table

NEWEST = """
SELECT v.task, v.metric, v.filter, v.shots, v.value, v.stderr, v.lower, v.upper, v.n, v.total, v.chance, v.higher_is_better,
       v.backend, v.device, v.gpu, v.dtype, v.compute_dtype, v.run_id, v.finished_at, v.conformance, r.processor,
       CASE WHEN r.kind = 'registry' THEN r.subject ELSE r.parent END AS registered,
       json_extract_string(r.record, '$.subject.distilled.trained_on[*]') AS trained_on,
       json_extract_string(r.record, '$.members[*]') AS members
FROM latest_valid v JOIN records r USING (run_id, task)
WHERE v.model = ? AND NOT EXISTS (
  FROM records g WHERE g.run_id = v.run_id AND list_contains(json_extract_string(g.record, '$.members[*]'), v.task)
)
ORDER BY v.task, v.metric, v.filter, v.shots, v.finished_at DESC, v.run_id
"""
"""A group stands for its tasks."""


UNCHECKED = "‡ Unchecked: when measured, nobody had asked whether the backend gives right numbers for such a model."


def newest_scores(reader: Reader, model: str) -> list[dict[str, Any]]:
    """The rows of the view latest_valid of that model (as the store shows it), without tasks that a group of their run has.

    `trained_on` is whether the model was trained on the task's own text.
    """
    return [_marked(row) for row in reader.rows(NEWEST, [model])]


def _marked(row: dict[str, Any]) -> dict[str, Any]:
    tasks = tasks_trained_on(row.pop("registered"), row["trained_on"])
    return {**row, "trained_on": is_among(tasks, row["task"], row.pop("members") or ())}


def measured_table(rows: Sequence[Mapping[str, Any]], title: str = "Measured") -> Table:
    """A row a score."""
    headings = (
        Heading("task"), Heading("metric", importance=4), Heading("shots", True), Heading("value", True, 5),
        Heading("95 % interval", True, 3), Heading("n", True, 2), Heading("run by", importance=2), Heading("run"),
    )  # fmt: skip
    pairs = [_row(row) for row in rows]
    told = ((any(row["trained_on"] for row in rows), TRAINED_ON), (any(map(_is_unchecked, rows)), UNCHECKED))
    notes = tuple(note for there, note in told if there)
    return Table(title, headings, tuple(cells for cells, _ in pairs), [keys for _, keys in pairs], notes)


def _row(row: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[Key, ...]]:
    metric = row["metric"] if row["filter"] in (None, "none") else f"{row['metric']}, {row['filter']}"
    lower, upper = row["lower"], row["upper"]
    interval = ABSENT if lower is None or upper is None else f"{lower:.4f} – {upper:.4f}"
    part = f" of {row['total']:,}" if row["total"] and row["n"] < row["total"] else ""
    where = " · ".join(
        (row["backend"], precision(row["dtype"], row["compute_dtype"]), row["gpu"] or row["processor"] or row["device"])
    )
    shots = ABSENT if row["shots"] is None else str(row["shots"])
    task = f"{row['task']} {MARK}" if row["trained_on"] else row["task"]
    by = f"{where} ‡" if _is_unchecked(row) else where
    cells = (task, metric, shots, number(row["value"]), interval, f"{row['n']:,}{part}", by, row["run_id"])
    return cells, (row["task"], metric, row["shots"], row["value"], lower, row["n"], where, row["run_id"])


def _is_unchecked(row: Mapping[str, Any]) -> bool:
    return row["conformance"] == "unchecked"
