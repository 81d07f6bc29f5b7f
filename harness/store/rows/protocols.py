"""What a verdict is made from: how each recorded task was measured, and what is published of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from harness.metrics.published import expected_scores
from harness.records.record import Record
from harness.suites.suite import SuiteTask, load_suite, suite_names
from zoo.registry.loader import Registry


def protocol_row(record: Record) -> dict[str, Any]:
    """How the record's task was measured. Metric and filter are those its suite is about, else a shipped suite's."""
    entry = _entry(record) or {}
    known = _named_metrics().get(record.task)
    decoding = record.decoding or {}
    return {
        "run_id": record.run_id,
        "task": record.task,
        "in_registry": record.subject.entry is not None,
        "metric": entry.get("metric") or (known.metric if known else None),
        "filter": entry.get("filter") or (known.filter if known else None),
        "samples_each": decoding.get("n"),
        "temperature": decoding.get("temperature"),
        "top_p": decoding.get("top_p"),
        "share": entry.get("share"),
        "margin": entry.get("margin"),
        "departure": _departure(record, entry),
    }


def expected_rows(registry: Registry) -> list[dict[str, Any]]:
    """Every published score of the registry, a row for each task that measures it."""
    return [asdict(score) for score in expected_scores(registry)]


def _entry(record: Record) -> Mapping[str, Any] | None:
    tasks: list[dict[str, Any]] = record.resolved_suite.get("tasks") or []
    return next((entry for entry in tasks if entry.get("task") == record.task), None)


def _departure(record: Record, entry: Mapping[str, Any]) -> str | None:
    """Why what ran is not what the task says, in a few words; None where it is."""
    if told := entry.get("departure"):
        return told
    cut = record.counts.truncated if record.counts else 0
    if cut and entry.get("overflow") != "truncate":
        return f"{cut:,} prompts were cut to fit the context"
    tokens = (entry.get("decoding") or {}).get("max_tokens")
    return f"answers ended after {tokens} tokens at the latest" if tokens else None


@cache
def _named_metrics() -> dict[str, SuiteTask]:
    """Task → the first entry of a shipped suite, the papers' before all, that names a metric for it."""
    found: dict[str, SuiteTask] = {}
    for name in sorted(suite_names(), key=lambda name: name != "paper"):
        for entry in load_suite(name).tasks:
            if entry.metric:
                found.setdefault(entry.task, entry)
    return found
