"""Pages whose data may come later: history, which without nights says what will stand there; and engines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reports.cells import moment, text
from reports.engines.outcomes import outcome_grid, outcomes_of, summary
from reports.models.grid import Cell, Column, Grid, Target, grid, short
from reports.models.subject import subjects
from reports.pages.history.pictures import Picture
from reports.pages.history.tables import HistoryPage, history_page
from reports.pages.targets import hardware_of, way_from
from reports.site import addresses
from reports.site.frame import page
from reports.site.input import SiteInput

SERIES = """
SELECT model, suite, backend, coalesce(gpu, processor, device) AS hardware, dtype, count(DISTINCT run_id) AS runs,
       min(finished_at) AS first, max(finished_at) AS last, max_by(run_id, finished_at) AS run_id
FROM records WHERE source = 'measured' GROUP BY ALL HAVING count(DISTINCT run_id) > 1
ORDER BY runs DESC, model, suite, backend, hardware, dtype LIMIT 50
"""
"""What was run more than once in one way: as near to a history as these results come."""
ENGINES = """
SELECT backend, coalesce(gpu, processor, device) AS hardware, dtype, source, conformance, count(DISTINCT run_id) AS runs,
       count(DISTINCT model) AS models, count(*) FILTER (status IN ('ok', 'unverified')) AS good,
       count(*) FILTER (status NOT IN ('ok', 'unverified')) AS failed
FROM records GROUP BY ALL ORDER BY backend, hardware, dtype, source, conformance LIMIT 500
"""


def pages(site: SiteInput) -> Iterator[tuple[str, str]]:
    """history.html and engines.html."""
    yield addresses.HISTORY, _history(site)
    yield addresses.ENGINES, _engines(site)


def _history(site: SiteInput) -> str:
    told = history_page(site.reader)
    if told is not None:
        return _nights(site, told)
    rows = site.reader.rows(SERIES)
    lede = (
        "No trend is drawn yet: a trend needs many nights of one model on one machine, and a rule that tells a change from "
        "noise."
    )
    what = (
        "A line a model, task and machine over the nights, each change with its interval, and the night of a change marked. "
        "Until then two runs are compared document by document."
    )
    commands = ("minizoo compare RUN_A RUN_B", "minizoo gate --policy nightly")
    drawn, nothing = _series(rows), "Nothing was run twice in one way yet."
    return _page(site, addresses.HISTORY, "History", lede, what, commands, (drawn,), "" if drawn else nothing)


def _nights(site: SiteInput, told: HistoryPage) -> str:
    what = (
        "A point a night. Of speeds the ratio to a canary that ran in turn with the model, and the canary itself, which shows "
        "the machine; of answers the mean log-probability of the right one. A change is a stretch of nights that Student's "
        "test at p ≤ 0.001 tells from the one before. It is told with the last night before it, the first after it, and what "
        "was another in between."
    )
    commands = ("minizoo history", "minizoo nightly --plan nightly.yaml")
    return _page(site, addresses.HISTORY, "History", told.lede, what, commands, told.grids, "", told.pictures)


def _engines(site: SiteInput) -> str:
    told = outcomes_of(site.results)
    what = (
        "A backend is asked questions whose answers are known: alignment, order, batches, caches, lengths, fp32. "
        "Accuracy of one that failed is recorded as unverified and kept out of the leaderboard; speed needs no outcome."
    )
    commands = ("minizoo conformance --backend hf --model nano-teacher", "minizoo doctor")
    nothing = "No backend has left a record yet."
    asked, ran = outcome_grid(told), _ran(site.reader.rows(ENGINES))
    grids = (asked, ran)
    return _page(
        site, addresses.ENGINES, "Engines", summary(told), what, commands, grids, nothing if ran is None else ""
    )


STANDINGS = {"passed": "passed", "failed": "unverified", "unchecked": "unchecked"}
MARKS = {"passed": "good", "failed": "bad"}


def _series(rows: Sequence[Mapping[str, Any]]) -> Grid | None:
    columns = (
        Column("Model"), Column("Suite"), Column("On"), Column("Runs", number=True), Column("First (UTC)"),
        Column("Last (UTC)"),
    )  # fmt: skip
    cells = [
        [
            Cell(short(text(row["model"])), to=Target("model", text(row["model"]))),
            Cell(short(text(row["suite"]))),
            Cell(short(text(row["hardware"])), " · ".join(filter(None, (text(row["backend"]), text(row["dtype"]))))),
            Cell(f"{row['runs']:,}"),
            Cell(moment(row["first"])),
            Cell(moment(row["last"]), to=Target("run", text(row["run_id"]))),
        ]
        for row in rows
    ]
    return grid("What was run more than once in one way, the most often first.", columns, cells)


def _ran(rows: Sequence[Mapping[str, Any]]) -> Grid | None:
    columns = (
        Column("Backend"), Column("Hardware"), Column("Dtype"), Column("Source"), Column("Conformance"),
        Column("Models", number=True), Column("Runs", number=True), Column("Tasks", number=True), Column("Failed", number=True),
    )  # fmt: skip
    cells = [
        [
            Cell(short(text(row["backend"]))),
            Cell(short(text(row["hardware"])), to=Target("speed", text(row["hardware"])) if row["hardware"] else None),
            Cell(short(text(row["dtype"]))),
            Cell(text(row["source"]), mark=text(row["source"])),
            Cell(STANDINGS.get(row["conformance"], "of no accuracy"), mark=MARKS.get(row["conformance"], "soft")),
            Cell(f"{row['models']:,}"),
            Cell(f"{row['runs']:,}"),
            Cell(f"{row['good']:,}"),
            Cell(f"{row['failed']:,}" if row["failed"] else "", mark="bad" if row["failed"] else ""),
        ]
        for row in rows
    ]
    return grid("Backends that have left records here.", columns, cells)


def _page(
    site: SiteInput,
    here: str,
    title: str,
    lede: str,
    what: str,
    commands: Sequence[str],
    drawn: Sequence[Grid | None],
    nothing: str,
    pictures: Sequence[Picture] = (),
) -> str:
    return page(
        "waiting.html.j2",
        here,
        title,
        styles=("models.css",),
        description=lede,
        version=site.version,
        lede=lede,
        what=what,
        commands=commands,
        drawn=[table for table in drawn if table is not None],
        nothing=nothing,
        pictures=pictures,
        way=way_from(here, {subject.facts.id for subject in subjects(site.board, site.registry)}, hardware_of(site)),
    )
