"""Scoring beside another engine: a line a task, and what the tasks together come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.cells import ABSENT, count, moment, number, text
from reports.speed.origin import who

TASK_PREFIX = "scoring."
"""Of the names that records of such a scoring have."""
EXTRAPOLATED = "extrapolated"

TASK_COLUMNS = (
    ("Model", False),
    ("Task", False),
    ("Documents", True),
    ("minizoo", True),
    ("Reference", True),
    ("Ratio", True),
    ("Flips", True),
    ("Beside fp32", False),
    ("Weights", False),
    ("dtype", False),
    ("Who, when (UTC)", False),
)
SUITE_COLUMNS = (
    ("Model", False),
    ("Tasks", True),
    ("minizoo", True),
    ("Reference", True),
    ("Ratio", True),
    ("Weights", False),
    ("dtype", False),
    ("Who", False),
)


@dataclass(frozen=True)
class ScoringLine:
    """A task, as text."""

    run: str
    model: str
    task: str
    shots: str
    documents: str
    seconds: str
    reference: str
    reference_seconds: str
    ratio: str
    flips: str
    largest: str
    failed: bool
    conforms: bool | None
    conformance: str
    """Of a failure that it is one."""
    note: str
    weights: str
    dtype: str
    finished: str
    finished_iso: str
    who: str


@dataclass(frozen=True)
class SuiteLine:
    """All tasks of a model, as text: the seconds of each whole task added up."""

    model: str
    tasks: str
    seconds: str
    reference: str
    reference_seconds: str
    ratio: str
    note: str
    """`extrapolated` where a part of a task stands for the whole."""
    weights: str
    dtype: str
    who: str


def scoring_lines(rows: Sequence[Mapping[str, Any]]) -> tuple[ScoringLine, ...]:
    """By model and task; those that are alike stay in their order."""
    return tuple(_task_line(row) for row in sorted(rows, key=lambda row: (*_order(row), text(row["task"]))))


def suite_lines(rows: Sequence[Mapping[str, Any]]) -> tuple[SuiteLine, ...]:
    """By model; those that are alike stay in their order."""
    return tuple(_suite_line(row) for row in sorted(rows, key=_order))


def _order(row: Mapping[str, Any]) -> tuple[str]:
    return (text(row["model"]),)


def _task_line(row: Mapping[str, Any]) -> ScoringLine:
    failed = row["status"] != "ok"
    return ScoringLine(
        run=text(row["run_id"]),
        model=text(row["model"]),
        task=text(row["task"]).removeprefix(TASK_PREFIX),
        shots="" if row["shots"] is None else f"{row['shots']}-shot",
        documents=ABSENT if failed else f"{count(row['documents'])} of {count(row['of'])}",
        seconds=_seconds(row["seconds"]),
        reference=text(row["reference"]),
        reference_seconds=_seconds(row["reference_seconds"]),
        ratio=_ratio(row["ratio"]),
        flips=count(row["flips"]),
        largest="" if row["largest"] is None else f"|Δ log p| ≤ {row['largest']:.1e}",
        failed=failed,
        conforms=row["conforms"],
        conformance="failed" if failed else _conformance(row),
        note=text(row["reason"] if failed else row["note"]),
        weights=text(row["weights"]),
        dtype=text(row["dtype"]),
        finished=moment(row["finished_at"]),
        finished_iso=moment(row["finished_at"], "%Y-%m-%dT%H:%M:%SZ"),
        who=who(row),
    )


def _suite_line(row: Mapping[str, Any]) -> SuiteLine:
    return SuiteLine(
        model=text(row["model"]),
        tasks=count(row["tasks"]),
        seconds=_seconds(row["seconds"]),
        reference=text(row["reference"]),
        reference_seconds=_seconds(row["reference_seconds"]),
        ratio=_ratio(row["ratio"]),
        note=EXTRAPOLATED if row["extrapolated"] else "",
        weights=text(row["weights"]),
        dtype=text(row["dtype"]),
        who=who(row),
    )


def _conformance(row: Mapping[str, Any]) -> str:
    """How both engines' answers stand to those of a plain fp32 forward pass."""
    if row["conforms"] is None or not row["checked_documents"]:
        return "not checked"
    verdict = "conforms" if row["conforms"] else "does not conform"
    ours, theirs = count(row["flips_from_fp32"]), count(row["reference_flips_from_fp32"])
    return f"{verdict}: {ours} flips of {count(row['checked_documents'])}, the reference {theirs}"


def _seconds(value: float | None) -> str:
    return ABSENT if value is None else f"{number(value)} s"


def _ratio(value: float | None) -> str:
    return ABSENT if value is None else f"{number(value)}×"
