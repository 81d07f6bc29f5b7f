"""Which metric of a task stands for it: the suite's own, else its first; the others are of the same answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.compare.items import ScoreKey, Side
from harness.records.record import Record


def primary_key(record: Record, keys: Iterable[ScoreKey]) -> ScoreKey | None:
    """Of a task's keys, the one that its record's suite names, else the first in the record's order; None of no keys."""
    known = {(key.metric, key.filter): key for key in keys}
    ordered = [(score.metric, score.filter) for score in record.scores if (score.metric, score.filter) in known]
    metric, name = _named(record)
    meant = [one for one in ordered if metric in (None, one[0]) and name in (None, one[1])]
    return known[(meant or ordered or list(known))[0]] if known else None


def keys_of_task(side: Side, task: str) -> list[ScoreKey]:
    """The metrics and filters that a side has of a task, in the record's order."""
    return [key for key in side.results if key.task == task]


def _named(record: Record) -> tuple[str | None, str | None]:
    """Metric and filter by the suite as it was run."""
    listed: Any = record.resolved_suite.get("tasks")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    entry: dict[str, Any] = next((entry for entry in entries if entry.get("task") == record.task), {})
    return entry.get("metric"), entry.get("filter")
