"""The speed pages: one a GPU or processor, and the first page that leads to them by microarchitecture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.board.model import Board, ColumnKey
from reports.cells import interval
from reports.charts.frontier import Mark, Panel, draw, shows_chance
from reports.pages.speed_index import index_page
from reports.site.addresses import SPEED, model_page, run_page, speed_page
from reports.site.frame import page
from reports.site.input import SiteInput
from reports.speed import points, ratios, scoring
from reports.speed.answer import answer, brief
from reports.speed.hardware import HardwarePage, pages_of
from reports.speed.limits import Shape, limits_on
from reports.speed.lines import column_title, evaluation_lines, limit_lines, pair_lines, speedup_lines
from reports.speed.pairs import (
    DEFAULT,
    Pair,
    Setting,
    frontier,
    is_measured,
    pairs_at,
    panels_of,
    settings_of,
)
from reports.speed.published import published_on
from reports.speed.queries import evaluations_on, rows_on
from reports.speed.section import SpeedRows, section
from zoo.arch.gpus import source_of

PAIR_COLUMNS = (("Model", False), ("Kind", False), ("Run by", False), ("Output tokens/s", True), ("J/token", True))
MOST_PANELS, MOST_MARKS = 6, 360
"""Of a picture; the more models there are the fewer panels, so that no page is over 2 MB."""
MOST_COLUMNS = 8
MOST_ROWS = 200
"""Of a table; what there is no room for is counted, and a query lists it."""


@dataclass(frozen=True)
class Picture:
    """Accuracy against speed, and against energy, in one setting, with their table."""

    setting: Setting
    rates: str
    energies: str
    summary: str
    headings: tuple[tuple[str, bool], ...]
    """Of the table, each with whether it stands over numbers."""
    lines: tuple[object, ...]
    left_out: int
    measured: int
    """Marks whose speed and score both come from runs."""
    sources: frozenset[str]
    """Whose speeds are in it."""
    chance: bool
    """Whether a panel has the line of guessing."""


def pages(site: SiteInput) -> Iterator[tuple[str, str]]:
    """Each page's address and HTML, one after the other; the first page last, as it counts what the others have."""
    found: list[tuple[HardwarePage, SpeedRows]] = []
    for hardware in pages_of(site.reader):
        rows = rows_on(site.reader, hardware.seen_as).in_order()
        yield speed_page(hardware.name), hardware_page(site, hardware, rows)
        found.append((hardware, SpeedRows(points=rows.points, figures=rows.figures)))
    yield SPEED, index_page(site, found)


def hardware_page(site: SiteInput, hardware: HardwarePage, rows: SpeedRows) -> str:
    """The HTML of one page, from the rows that were made on its hardware."""
    limits = limits_on(hardware.gpu, site.registry, Shape()) if hardware.gpu else ()
    pictures = [_picture(setting, site, rows, hardware) for setting in settings_of(rows)]
    tables = section(rows)
    alone = pairs_at(DEFAULT, rows, site.board, site.registry, None)
    here = speed_page(hardware.name)
    return page(
        "speed_hardware.html.j2",
        here,
        f"Speed on {brief(hardware.display)}",
        styles=("speed.css",),
        description=f"Accuracy against speed on {brief(hardware.display)}: measured, imported, published, and at most.",
        hardware=hardware,
        sheet=source_of(hardware.gpu) if hardware.gpu else "",
        answer=answer(site.board, site.registry, rows, limits, hardware),
        pictures=pictures,
        limits=(allowed := limit_lines(limits, alone)),
        beside=any(line.percent for line in allowed),
        shape=Shape(),
        tables=tables,
        shown=MOST_ROWS,
        evaluations=(evaluated := evaluation_lines(evaluations_on(site.reader, hardware.seen_as)))[:MOST_ROWS],
        evaluations_in_all=len(evaluated),
        served=speedup_lines(site.board, hardware.seen_as, "equal latency"),
        published=published_on(hardware.gpu, site.registry) if hardware.gpu else (),
        point_columns=points.COLUMNS,
        ratio_columns=ratios.COLUMNS,
        task_columns=scoring.TASK_COLUMNS,
        suite_columns=scoring.SUITE_COLUMNS,
        known={row.facts.id for row in site.board.rows},
        model_page=model_page,
        run_page=run_page,
        counts=_counts(rows),
    )


def _picture(setting: Setting, site: SiteInput, rows: SpeedRows, hardware: HardwarePage) -> Picture:
    pairs = pairs_at(setting, rows, site.board, site.registry, hardware.gpu)
    chosen = panels_of(pairs, site.board, _panels(len(pairs)))
    panels = [made for key, kind in chosen if (made := _panel(key, kind, pairs, site.board))]
    energetic = [pair for pair in pairs if pair.energy]
    costs = [made for key, kind in chosen if (made := _panel(key, kind, energetic, site.board, energy=True))]
    columns = tuple(dict.fromkeys(key for key, _ in chosen)) or _columns(pairs, site.board)
    lines = pair_lines(pairs, columns[:MOST_COLUMNS])
    return Picture(
        setting=setting,
        rates=draw(panels, "output tokens/s"),
        energies=draw([panel for panel in costs if panel.marks], "J/token", more_is_better=False),
        summary=_summary(panels),
        headings=(*PAIR_COLUMNS, *((column_title(key), True) for key in columns[:MOST_COLUMNS])),
        lines=lines[:MOST_ROWS],
        left_out=max(0, len(lines) - MOST_ROWS),
        measured=sum(any(is_measured(pair, key) for key in columns) for pair in pairs),
        sources=frozenset(mark.source for panel in panels for mark in panel.marks),
        chance=any(map(shows_chance, panels)),
    )


def _panels(marks: int) -> int:
    """How many panels there is room for: whole rows of them where there are several."""
    room = MOST_MARKS // max(1, marks)
    return next((count for count in (MOST_PANELS, 3) if room >= count), max(1, room))


def _columns(pairs: Sequence[Pair], board: Board) -> tuple[ColumnKey, ...]:
    """Where there is no picture: the columns in which anything of these models is known."""
    return tuple(column.key for column in board.columns if any(column.key in pair.scores for pair in pairs))


def _panel(key: ColumnKey, kind: str, pairs: Sequence[Pair], board: Board, energy: bool = False) -> Panel | None:
    """One task's picture of one kind of model; None without a mark."""
    own = [pair for pair in pairs if pair.facts.kind == kind and key in pair.scores]
    marks = [(pair, _mark(pair, key, own, energy)) for pair in own]
    if not marks:
        return None
    stairs = [
        frontier([(mark.x, mark.y) for pair, mark in marks if is_measured(pair, key) == measured], not energy)
        for measured in (True, False)
    ]
    column = next(column for column in board.columns if column.key == key)
    of = "" if kind == "base" else f" · {kind}"
    return Panel(
        f"{column_title(key)}{of}",
        tuple(mark for _, mark in marks),
        (tuple(stairs[0]), tuple(stairs[1])),
        column.chance,
    )


def _mark(pair: Pair, key: ColumnKey, own: Sequence[Pair], energy: bool) -> Mark:
    figure = pair.scores[key]
    speed = pair.energy if energy and pair.energy else pair.rate
    ways = sum(other.facts.id == pair.facts.id for other in own)
    return Mark(
        name=pair.facts.display if ways == 1 else f"{pair.facts.display} · {pair.way}",
        x=speed.value,
        y=figure.value or 0.0,
        source=pair.source,
        hollow=not is_measured(pair, key),
        x_ends=_ends(speed.lower, speed.upper),
        y_ends=_ends(figure.lower, figure.upper),
    )


def _ends(lower: float | None, upper: float | None) -> tuple[float, float] | None:
    """Both ends of an interval where they are numbers."""
    return None if lower is None or upper is None or not interval(lower, upper) else (lower, upper)


def _summary(panels: Sequence[Panel]) -> str:
    """What the picture shows, in words."""
    told: list[str] = []
    for panel in panels:
        stair = panel.frontiers[0] or panel.frontiers[1]
        names = {(mark.x, mark.y): mark.name for mark in panel.marks}
        best = ", ".join(brief(names[point]) for point in reversed(stair))
        told.append(f"{panel.title}: {'' if panel.frontiers[0] else 'at most, '}{best}")
    return "; ".join(told)


def _counts(rows: SpeedRows) -> dict[str, int]:
    """Valid points by who measured them."""
    sources = [row["source"] for row in rows.points if row["valid"] and row["status"] == "ok"]
    return {source: sources.count(source) for source in ("measured", "imported", "contributed")}
