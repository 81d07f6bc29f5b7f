"""The results as one self-contained HTML page: the same rows give the same bytes, and none of them becomes markup."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from harness.records.record import WITHHELD, precision
from reports.cells import ScoreLine, moment, row_of, text, writable
from reports.charts.scores import draw
from reports.speed import points, ratios, scoring
from reports.speed.origin import who
from reports.speed.section import SpeedRows, section

SHOWN_FAILURES = 20


NO_SPEED = SpeedRows()


@dataclass(frozen=True)
class PageMeta:
    """When, by what and from how much a page was made."""

    generated_at: datetime
    version: str
    records: int


@dataclass(frozen=True)
class DetailLine:
    """A line of a run's details; `code` is for what is copied: commands and digests."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True)
class RunDetails:
    """A run's details, as the page shows them."""

    id: str
    model: str
    suite: str
    finished: str
    tasks: str
    failed: bool
    who: str
    """Empty for a run of this project's own."""
    facts: tuple[DetailLine, ...]
    command: str


def render_page(
    scores: Sequence[Mapping[str, Any]],
    runs: Sequence[Mapping[str, Any]],
    made: PageMeta,
    speed: SpeedRows = NO_SPEED,
) -> str:
    """Make the page from rows of the views `scores` and `runs`, shown in the order of model, suite and task, and of speed.

    Pure: reads nothing but the package's own templates.
    """
    ordered = sorted(scores, key=_order)
    rows = [row_of(score) for score in ordered]
    failures = [row for row in rows if row.status == "failed"]
    published = sum(row.source == "published" for row in rows)
    script = _asset("page.js")
    page: str = (
        _environment()
        .get_template("page.html.j2")
        .render(
            style=_asset("page.css"),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            rows=rows,
            columns=COLUMNS,
            measured=len(rows) - len(failures) - published,
            published=published,
            failures=failures[:SHOWN_FAILURES],
            failures_in_all=len(failures),
            models=_distinct(rows, "model"),
            suites=_distinct(rows, "suite"),
            sources=_distinct(rows, "source"),
            speed=section(speed),
            point_columns=points.COLUMNS,
            ratio_columns=ratios.COLUMNS,
            task_columns=scoring.TASK_COLUMNS,
            suite_columns=scoring.SUITE_COLUMNS,
            runs=[_run_of(run) for run in sorted(runs, key=_newest_first, reverse=True)],
            chart=draw(ordered),
            made=made,
            generated_at=made.generated_at.astimezone(UTC),
            data_digest=_digest(ordered, runs, speed),
        )
    )
    return writable(page)


# A column's name in the address, its heading, whether it sorts as a number.
COLUMNS = (
    ("model", "Model", False),
    ("suite", "Suite", False),
    ("task", "Task", False),
    ("metric", "Metric", False),
    ("filter", "Filter", False),
    ("shots", "Shots", True),
    ("value", "Value", True),
    ("interval", "95 % interval", True),
    ("chance", "Chance", True),
    ("n", "n", True),
    ("status", "Status", False),
    ("device", "Device", False),
    ("date", "Date (UTC)", False),
    ("source", "Source", False),
)


def _order(score: Mapping[str, Any]) -> tuple[Any, ...]:
    """Measured before published, then by name; the newest of the same kind first."""
    names = (text(score[column]) for column in ("model", "suite", "task", "metric", "filter"))
    when = row_of(score).finished_iso
    newest_first = tuple(-ord(character) for character in when)
    return (score["source"] != "measured", *names, newest_first, text(score["run_id"]), text(score["shots"]))


def _newest_first(run: Mapping[str, Any]) -> tuple[str, str]:
    return moment(run.get("finished_at"), "%Y%m%d%H%M%S"), text(run["run_id"])


def _run_of(run: Mapping[str, Any]) -> RunDetails:
    tasks, failed = run.get("tasks"), run.get("failed") or 0
    return RunDetails(
        id=text(run["run_id"]),
        model=text(run.get("model")),
        suite=text(run.get("suite")),
        finished=moment(run.get("finished_at")),
        tasks=f"{tasks} task{'' if tasks == 1 else 's'}" + (f", {failed} failed" if failed else ""),
        failed=bool(failed),
        who="" if run.get("source") in (None, "measured") else who(run),
        facts=tuple(_detail_lines(run)),
        command=text(run.get("command")),
    )


def _detail_lines(run: Mapping[str, Any]) -> list[DetailLine]:
    gpu = f"{run.get('gpu')}, driver {run.get('driver') or 'unknown'}" if run.get("gpu") else ""
    facts = [
        DetailLine("run", text(run["run_id"]), code=True),
        DetailLine("weights", text(run.get("weights_digest")), code=True),
        DetailLine("seed", text(run.get("seed"))),
        DetailLine(
            "backend", ", ".join(filter(None, (text(run.get("backend")), text(run.get("device")), _dtypes(run))))
        ),
        DetailLine("processor", text(run.get("processor"))),
        DetailLine("GPU", gpu),
        DetailLine("host", ", ".join(filter(None, (_host(run), text(run.get("platform")))))),
        DetailLine("commit", text(run.get("git_sha")), code=True),
        DetailLine("versions", _versions(run.get("versions"))),
    ]
    return [fact for fact in facts if fact.value]


def _host(run: Mapping[str, Any]) -> str:
    host = text(run.get("host"))
    return "" if host == WITHHELD else host


def _dtypes(row: Mapping[str, Any]) -> str:
    return precision(text(row.get("dtype")), row.get("compute_dtype"))


def _versions(versions: object) -> str:
    """The store keeps versions as a JSON object of package names."""
    try:
        found = json.loads(versions) if isinstance(versions, str) else versions
    except ValueError:
        return str(versions)
    if not isinstance(found, Mapping):
        return text(found)
    return ", ".join(f"{name} {found[name]}" for name in sorted(found))


def _distinct(rows: Sequence[ScoreLine], column: str) -> list[str]:
    return sorted({value for row in rows if (value := getattr(row, column))})


def _digest(scores: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]], speed: SpeedRows) -> str:
    """Twelve digits that tell one set of rows from another."""
    every = (*scores, *sorted(runs, key=_newest_first), *speed.in_order().every())
    rows = [sorted(row.items()) for row in every]
    return hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()[:12]


@functools.cache
def _asset(name: str) -> str:
    return resources.files("reports").joinpath("templates", name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
