"""Reading the view `reproduction`: of each measured score, the published one that it is best held against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.store.query import query

Row = Mapping[str, Any]


def of_run(results: Path, run_id: str) -> list[Row]:
    """The scores of one run beside their published ones, a row each, in the order of the tasks' names."""
    return beside(query(results, "SELECT * FROM reproduction WHERE run_id = ?", [run_id]))


def of_model(results: Path, model: str) -> list[Row]:
    """The newest score of each task, metric, filter and shots of a registry model beside its published one."""
    rows = query(results, "SELECT * FROM reproduction WHERE registry_id = ? ORDER BY finished_at, run_id", [model])
    return beside(newest(rows))


def newest(rows: Sequence[Row]) -> list[Row]:
    """Of rows in the order of time, those of the last run of each model, task, metric, filter and shots."""
    last = {_series(row): row["run_id"] for row in rows}
    return [row for row in rows if last[_series(row)] == row["run_id"]]


def beside(rows: Iterable[Row]) -> list[Row]:
    """One row a measured score: comparable sources before others, then the one that prints more digits."""
    chosen: dict[tuple[Any, ...], Row] = {}
    for row in sorted(rows, key=_preference):
        chosen.setdefault((row["run_id"], row["task"], row["metric"], row["filter"]), row)
    return sorted(chosen.values(), key=lambda row: (row["task"], row["metric"], row["filter"]))


def verdict_words(row: Row) -> str:
    """The verdict with what belongs to it, such as `not resolved (needs n = 1,120)`."""
    if row["needs_n"]:
        return f"{row['verdict']} (needs n = {row['needs_n']:,})"
    return f"{row['verdict']} ({row['reason']})" if row["reason"] else row["verdict"]


def _series(row: Row) -> tuple[Any, ...]:
    return row["registry_id"], row["task"], row["metric"], row["filter"], row["shots"]


def _preference(row: Row) -> tuple[bool, float, str]:
    return row["verdict"] == "not comparable", -len(repr(row["printed"])), row["origin"]
