"""The figures of a model that are put on the hub: one a task and number of shots, of all its documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.exports.chosen import Chosen
from harness.exports.hub_datasets import DATASETS, HubDataset
from harness.metrics.task_metadata import UNIT_INTERVAL_METRICS
from harness.records.derived import estimate
from harness.records.record import MetricScore, Record
from harness.stats.estimate import finite

PERCENT_DIGITS = 4
"""Of a share as a percentage: more digits than any number of documents gives, and none of binary arithmetic."""
ENGINES = ("torch", "transformers")


@dataclass(frozen=True)
class HubFigure:
    """A task's result; values in the unit in which the hub's leaderboards have them: shares in percent."""

    task: str
    dataset: HubDataset | None
    record: Record
    scores: tuple[MetricScore, ...]
    """The one that stands for the task first."""


def hub_figures(chosen: Iterable[Chosen]) -> tuple[list[HubFigure], list[str]]:
    """The figures of one model, and what is left out of them, in sentences.

    Of several results of a task and number of shots the one that minizoo measured, then the newest. A part of the documents is
    never put on the hub, for its readers would take it for the whole; the tasks of a group stand in the group's number.
    """
    records = [one.record for one in chosen]
    whole = [record for record in records if is_whole(record)]
    members = {member for record in whole for member in record.members}
    best = {
        (record.task, record.shots): record
        for record in sorted(whole, key=lambda r: (r.source == "measured", r.finished_at, r.run_id))
        if record.task not in members
    }
    figures = [
        HubFigure(record.task, DATASETS.get(record.task), record, in_order(record))
        for _, record in sorted(best.items(), key=lambda item: (item[0][0], -1 if item[0][1] is None else item[0][1]))
    ]
    parts = sorted({record.task for record in records if record not in whole} - {task for task, _ in best} - members)
    notes = [f"Of a part of the documents only, and left out: {', '.join(parts)}."] if parts else []
    return [figure for figure in figures if figure.scores], notes


def is_whole(record: Record) -> bool:
    """Whether all documents of the task were run, as far as the record tells."""
    counts = record.counts
    return record.limit is None and (counts is None or counts.documents >= counts.documents_total)


def in_order(record: Record) -> tuple[MetricScore, ...]:
    """The scores that have a value, the one that the suite names first, as the leaderboard and comparisons take it."""
    listed: Any = record.resolved_suite.get("tasks")
    entries: list[Any] = listed if isinstance(listed, list) else []
    named = next((e for e in entries if isinstance(e, dict) and e.get("task") == record.task), {})
    metric, name = named.get("metric"), named.get("filter")
    known = [score for score in record.scores if score.value is not None]
    return tuple(sorted(known, key=lambda s: not (metric in (None, s.metric) and name in (None, s.filter))))


def shown(score: MetricScore) -> float:
    """The value in the hub's unit."""
    return _scaled(score, score.value or 0.0)


def stderr_of(score: MetricScore) -> float | None:
    """The standard error in the same unit."""
    error = finite(estimate(score)).stderr
    return None if error is None else _scaled(score, error)


def interval_of(score: MetricScore) -> tuple[float, float] | None:
    """The 95 % interval in the same unit."""
    found = finite(estimate(score))
    if found.lower is None or found.upper is None:
        return None
    return _scaled(score, found.lower), _scaled(score, found.upper)


def unit_of(score: MetricScore) -> str:
    """`percent`, or the metric's own unit."""
    return "percent" if score.metric in UNIT_INTERVAL_METRICS else "the metric's own unit"


def metric_of(score: MetricScore) -> str:
    """The metric, and its filter where it has one."""
    return score.metric if score.filter == "none" else f"{score.metric} ({score.filter})"


def shots_of(record: Record) -> str:
    """`5-shot`."""
    return "shots unknown" if record.shots is None else f"{record.shots}-shot"


def versions_of(record: Record) -> str:
    """The versions that a score depends on, `minizoo 0.2.0, lm-eval 0.4.13, torch 2.13.0`."""
    versions = record.setting.versions
    wanted: Sequence[str] = ("minizoo", "lm-eval", *ENGINES, record.setting.backend)
    told = [f"{name} {versions[name]}" for name in dict.fromkeys(wanted) if name in versions]
    return ", ".join(told) or "versions unknown"


def _scaled(score: MetricScore, value: float) -> float:
    return round(100 * value, PERCENT_DIGITS) if score.metric in UNIT_INTERVAL_METRICS else value
