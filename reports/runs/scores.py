"""The scores and the failures of a run, as lines of a page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from harness.records.record import SCORED, Subject
from harness.records.trained_on import NOTE, is_among, trained_on
from reports.cells import ABSENT, DIRECTIONS, count, interval, number, text
from reports.runs.facts import seconds
from reports.runs.rows import Row, RunRows
from reports.runs.texts import excerpt

ARROWS = {"higher": "↑", "lower": "↓", "": ""}
GREEDY = 0
REASON = (1000, 300)


@dataclass(frozen=True)
class Verdict:
    """A measured figure beside a published one."""

    word: str
    printed: str
    origin: str
    reason: str


@dataclass(frozen=True)
class ScoreLine:
    """A metric of a task."""

    task: str
    first: bool
    """Whether it is the task's first line, which says what is common to all."""
    metric: str
    arrow: str
    direction: str
    filter: str
    shots: str
    value: str
    interval: str
    chance: str
    n: str
    notes: tuple[str, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class FailureLine:
    """A task that has no score."""

    task: str
    reason: str
    code: str
    infrastructure: bool
    """Whether the machine failed, and not the model or the task."""


def score_lines(rows: RunRows) -> list[ScoreLine]:
    """A line a task and metric, tasks in the order in which they were begun."""
    return [line for record in rows.records if record["status"] in SCORED for line in _of_task(record, rows)]


def failure_lines(rows: RunRows) -> list[FailureLine]:
    """Every task that failed."""
    return [
        FailureLine(
            record["task"],
            _shortened(text(record["reason"])) or "nobody noted why",
            text(record["code"]),
            record["status"] == "infra_failed",
        )
        for record in rows.records
        if record["status"] not in SCORED
    ]


def _of_task(record: Row, rows: RunRows) -> Iterator[ScoreLine]:
    document = cast("dict[str, Any]", json.loads(record["record"]))
    for place, score in enumerate(rows.scores[record["task"]]):
        direction = DIRECTIONS[score["higher_is_better"]]
        n, total = score["n"], score["total"]
        yield ScoreLine(
            task=record["task"],
            first=place == 0,
            metric=text(score["metric"]),
            arrow=ARROWS[direction],
            direction=direction,
            filter="" if score["filter"] == "none" else text(score["filter"]),
            shots=ABSENT if record["shots"] is None else text(record["shots"]),
            value=number(score["value"]),
            interval=interval(score["lower"], score["upper"]),
            chance=ABSENT if score["chance"] is None else number(score["chance"]),
            n=count(n) if total in (None, n) else f"{count(n)} of {count(total)}",
            notes=tuple(_notes(record, document, score)) if place == 0 else (),
            verdicts=tuple(
                Verdict(text(found["verdict"]), _printed(found), text(found["origin"]), text(found["reason"]))
                for found in rows.verdicts[record["task"]]
                if (found["metric"], found["filter"]) == (score["metric"], score["filter"])
            ),
        )


def _notes(record: Row, document: Mapping[str, Any], score: Row) -> Iterator[str]:
    if document.get("members"):
        members = cast("list[str]", document["members"])
        yield f"mean of {len(members)} tasks"
    if record["limit"]:
        yield f"a part: limit {record['limit']:,}"
    if record["truncated"]:
        yield f"{record['truncated']:,} prompts cut to the context"
    if decoding := cast("dict[str, Any]", document.get("decoding") or {}):
        yield _decoding(decoding)
    if record["isolation"]:
        yield f"generated code ran under {record['isolation']}"
    if score["fewshot_draws"] and score["fewshot_draws"] > 1:
        yield f"{score['fewshot_draws']} draws of examples, SD {number(score['fewshot_sd'])}"
    tasks = trained_on(Subject.model_validate(document["subject"]))
    if is_among(tasks, text(record["task"]), cast("list[str]", document.get("members") or [])):
        yield f"the model was {NOTE}"
    if record["reason"]:
        yield text(record["reason"])
    if time := seconds(record["wall_s"]):
        yield time


def _shortened(reason: str) -> str:
    """A reason with its middle left out, where somebody put a whole log into it."""
    found = excerpt(reason, *REASON)
    return f"{found.before} … {found.after}" if found.left_out else found.before


def _decoding(decoding: Mapping[str, Any]) -> str:
    samples = decoding.get("n") or decoding.get("samples") or 1
    temperature = decoding.get("temperature")
    how = "greedy" if temperature in (None, GREEDY) else f"temperature {temperature}"
    if temperature and decoding.get("top_p") not in (None, 1, 1.0):
        how += f", top-p {decoding['top_p']}"
    return how if samples == 1 else f"{samples} answers each, {how}"


def _printed(verdict: Row) -> str:
    return number(verdict["published"]) if verdict["printed"] is None else f"{verdict['printed']:g}"
