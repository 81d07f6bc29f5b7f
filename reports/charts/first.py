"""The first picture of the leaderboard: each small model beside its parent, by size and by what it keeps of some tasks.

A line a model. First its size as a share of its parent's, then a panel a task: how much of the parent's score above chance
is kept, with its interval; the parent itself is the line at 100 %. A mark is filled where minizoo measured it and hollow where
somebody published it. Where no share is known the panels show scores instead. The marks are hidden from screen readers,
which read the summary, and the table holds the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.board.model import Board, Figure, TaskColumn
from reports.charts.first_lines import Line, drawn_lines, ends_of, plain, value_of
from reports.charts.style import ACCENT, CONFIG, Chart
from reports.charts.svg import svg_of

WIDE, NARROW = (170, 62, 24), (140, 0, 24)
"""Width of a task's panel, width of the panel of sizes (0: none), height of a line."""
SHAPES = {"measured": "circle", "imported": "diamond", "contributed": "triangle-up", "published": "circle"}


@dataclass(frozen=True)
class Picture:
    """The same picture for a wide and for a narrow window; `kept` where it shows shares of the parent, not scores."""

    wide: Chart
    narrow: Chart
    kept: bool
    tasks: int


def picture(board: Board, group: str) -> Picture | None:
    """Draw the models of a task group; None where there is nothing to draw."""
    for kept in (True, False):
        columns, lines = drawn_lines(board, group, kept)
        if lines:
            return Picture(
                _chart(lines, columns, kept, WIDE), _chart(lines, columns[:1], kept, NARROW), kept, len(columns)
            )
    return None


def _chart(lines: Sequence[Line], columns: Sequence[TaskColumn], kept: bool, sizes: tuple[int, int, int]) -> Chart:
    lines = [line for line in lines if any(at < len(columns) for at, _ in line.points)]
    tasks = ", ".join(plain(column.key.task)[:60] for column in columns)
    who = f"each of {len(lines)} models" if len(lines) > 1 else "a model"
    what = f"How much of its parent's score above chance {who} keeps" if kept else f"The score that {who} has"
    beside = ", beside its size as a share of its parent" if kept else ""
    summary = f"{what} on {tasks}, with 95 % intervals{beside}. The table below holds the same numbers."
    return Chart(svg_of(_spec(lines, columns, kept, sizes)), summary, 0)


def _spec(
    lines: Sequence[Line], columns: Sequence[TaskColumn], kept: bool, sizes: tuple[int, int, int]
) -> dict[str, Any]:
    width, size_width, height = sizes
    names = [line.name for line in lines]
    y = {"field": "name", "type": "nominal", "sort": names, "title": None, "scale": {"paddingInner": 0.2}}
    labelled = {**y, "axis": {"labelLimit": 230 if size_width else 140, "labelFontSize": 12, "labelPadding": 8}}
    domain = _domain(lines, kept)
    panels = [_size_panel(lines, size_width, height, labelled)] if kept and size_width else []
    for at, column in enumerate(columns):
        axis = labelled if not panels else {**y, "axis": None}
        panels.append(_task_panel(lines, at, column, kept, domain, width, height, axis))
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "padding": {"left": _spare(names, size_width), "right": 8, "top": 2, "bottom": 2},
        "hconcat": panels,
        "spacing": 26,
        "config": {
            **CONFIG,
            "title": {
                "color": "currentColor",
                "fontSize": 12,
                "fontWeight": 600,
                "anchor": "start",
                "frame": "group",
                "offset": 8,
            },
        },
    }


def _size_panel(lines: Sequence[Line], width: int, height: int, y: dict[str, Any]) -> dict[str, Any]:
    """Bars: what is left of the parent's parameters."""
    values = [
        {
            "name": line.name,
            "whole": 1,
            "size": line.size,
            "words": "" if line.size is None else f"{100 * line.size:.0f} %",
        }
        for line in lines
    ]
    x = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": None}
    thick = {"type": "bar", "height": 9, "cornerRadius": 2}
    return {
        "title": {"text": "parameters"},
        "width": width,
        "height": {"step": height},
        "data": {"values": values},
        "layer": [
            {
                "mark": {**thick, "color": "currentColor", "opacity": 0.1},
                "encoding": {"y": y, "x": {**x, "field": "whole"}},
            },
            {
                "mark": {**thick, "color": "currentColor", "opacity": 0.5},
                "encoding": {"y": y, "x": {**x, "field": "size"}},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 5, "color": "currentColor", "fontSize": 11},
                "encoding": {"y": y, "x": {**x, "field": "whole"}, "text": {"field": "words", "type": "nominal"}},
            },
        ],
    }


def _task_panel(
    lines: Sequence[Line],
    at: int,
    column: TaskColumn,
    kept: bool,
    domain: list[float],
    width: int,
    height: int,
    y: dict[str, Any],
) -> dict[str, Any]:
    """Points with their intervals; the line is the parent, or what guessing scores."""
    values = [
        {"name": line.name, **_point(figure, kept)} for line in lines for panel, figure in line.points if panel == at
    ]
    values += [{"name": line.name} for line in lines]  # a line in every panel, so that rows stay beside each other
    x = {
        "type": "quantitative",
        "scale": {"domain": domain, "nice": False, "zero": False},
        "axis": {
            "values": _ticks(domain),
            "format": ".0%" if kept else ".2~f",
            "labelOpacity": 0.75,
            "labelFlush": False,
        },
        "title": None,
    }
    line_at = 1.0 if kept else column.chance
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rule", "color": ACCENT, "strokeWidth": 2, "opacity": 0.75, "clip": True},
            "encoding": {"y": y, "x": {**x, "field": "lower"}, "x2": {"field": "upper"}},
        }
    ]
    if line_at is not None:
        rule = {
            "mark": {"type": "rule", "color": "currentColor", "opacity": 0.55},
            "encoding": {"x": {**x, "datum": line_at}},
        }
        layers.insert(0, rule)
    for source in (each for each in SHAPES if any(value.get("source") == each for value in values)):
        fill = "var(--paper)" if source == "published" else ACCENT
        layers.append(
            {
                "transform": [{"filter": f"datum.source === '{source}'"}],
                "mark": {
                    "type": "point", "shape": SHAPES[source], "fill": fill, "stroke": ACCENT, "strokeWidth": 1.6, "size": 52,
                    "opacity": 1, "clip": True,
                },
                "encoding": {"y": y, "x": {**x, "field": "value"}},
            }
        )  # fmt: skip
    return {
        "title": {"text": _heading(column)},
        "width": width,
        "height": {"step": height},
        "data": {"values": values},
        "layer": layers,
    }


def _heading(column: TaskColumn) -> str:
    shots = "" if column.key.shots is None else f", {column.key.shots}-shot"
    task, most = plain(column.key.task), 24 - len(shots)
    return f"{task if len(task) <= most else task[: most - 1] + '…'}{shots}"


def _point(figure: Figure, kept: bool) -> dict[str, Any]:
    lower, upper = ends_of(figure, kept)
    ends = lower is not None and upper is not None and math.isfinite(lower) and math.isfinite(upper)
    drawn = {"value": value_of(figure, kept), "source": figure.source}
    return {**drawn, "lower": lower, "upper": upper} if ends else drawn


def _domain(lines: Sequence[Line], kept: bool) -> list[float]:
    """From a round number under the lowest point to one over the highest; never further than a sensible share goes."""
    values = [value for line in lines for _, f in line.points for value in (value_of(f, kept), *ends_of(f, kept))]
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not kept:
        return [0, 1]
    low = max(0.0, math.floor(10 * min(known) - 0.2) / 10)
    return [min(low, 0.9), min(1.3, max(1.05, max(known) + 0.02))]


def _ticks(domain: list[float]) -> list[float]:
    """Round numbers that leave room for their labels, 1 among them."""
    low, high = domain
    step = next(step for step in (0.05, 0.1, 0.2, 0.25, 0.5) if (high - low) / step <= 4)
    most = math.floor((high - 1) / step + 1e-9)
    least = math.ceil((low - 1) / step - 1e-9)
    return [round(1 + step * at, 4) for at in range(least, most + 1)]


def _spare(names: Sequence[str], size_width: int) -> int:
    """Labels are measured with another font than the reader's: a fifth of their width more, on the left."""
    return min(230 if size_width else 140, 7 * max(map(len, names))) // 5
