"""Accuracy against speed: a panel a task, a mark a model with its intervals, a stair that no mark stands above.

Static SVG in the page's own colours, as reports/charts/style.py. All panels are one view of Vega-Lite whose numbers are pixels
already, ten times as quick as a view a panel; names stand where no mark and no other name is, and one that fits nowhere is left
to the table, which holds everything that is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from reports.cells import writable
from reports.charts.labels import Box, Label, placed
from reports.charts.plane import Axis, log_axis, plain_axis, tick_text

WIDTH, HEIGHT, COLUMNS = 298, 200, 3
LEFT, TOP, RIGHT, BOTTOM = 42, 30, 26, 46
"""Room around a panel, in pixels: ticks, the title, a gap, ticks with the axis' title. One panel is as wide as a phone."""
LABEL_SIZE, TICK_SIZE, TITLE_SIZE, MOST_LETTERS = 10.5, 10.5, 12.5, 34
INK, ACCENT, PAPER = "currentColor", "var(--accent)", "var(--paper)"
SHAPES = {"measured": "circle", "imported": "diamond", "contributed": "triangle-up", "limit": "triangle-left"}
"""Of marks, by whose speed it is; a limit points to where the real speed lies."""
CONFIG: dict[str, Any] = {"aria": False, "font": "system-ui, sans-serif", "view": {"stroke": None}}
Row = dict[str, Any]


@dataclass(frozen=True)
class Mark:
    """A model: how fast (or costly) `x`, how good `y`, each with the ends of its interval where it has one."""

    name: str
    x: float
    y: float
    source: str
    """A key of SHAPES."""
    hollow: bool
    """Speed or score is not from a run."""
    x_ends: tuple[float, float] | None = None
    y_ends: tuple[float, float] | None = None


@dataclass(frozen=True)
class Panel:
    """One picture. `frontiers` are stairs by rising x: of what was measured, then of all else."""

    title: str
    marks: tuple[Mark, ...]
    frontiers: tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]
    chance: float | None = None


def draw(panels: Sequence[Panel], x_title: str, more_is_better: bool = True) -> str:
    """The SVG of these panels, hidden from screen readers; nothing for no panels. x is on a log scale."""
    if not panels:
        return ""
    import vl_convert

    drawing = _Drawing()
    for at, panel in enumerate(panels):
        across, down = (at % COLUMNS) * (LEFT + WIDTH + RIGHT), (at // COLUMNS) * (TOP + HEIGHT + BOTTOM)
        drawing.add(panel, across + LEFT, down + TOP, x_title, more_is_better)
    size = min(len(panels), COLUMNS) * (LEFT + WIDTH + RIGHT), -(-len(panels) // COLUMNS) * (TOP + HEIGHT + BOTTOM)
    drawn: str = vl_convert.vegalite_to_svg(drawing.spec(*size))
    return re.sub(r"^<svg ", '<svg aria-hidden="true" focusable="false" ', drawn, count=1)


def shows_chance(panel: Panel) -> bool:
    """Whether the score of guessing is among the scores that the panel has room for."""
    y = _score_axis(panel, 0, 1)
    return panel.chance is not None and y.low <= panel.chance <= y.high


def _score_axis(panel: Panel, foot: float, top: float) -> Axis:
    ends = [end for mark in panel.marks if mark.y_ends for end in mark.y_ends]
    return plain_axis([mark.y for mark in panel.marks], ends, foot, top)


class _Drawing:
    """Everything that is drawn, in pixels of the whole picture, by kind of mark."""

    def __init__(self) -> None:
        self.grid: list[Row] = []
        self.stairs: list[Row] = []
        self.bars: list[Row] = []
        self.marks: list[Row] = []
        self.words: dict[str, list[Row]] = {"left": [], "center": [], "right": []}
        self.titles: list[Row] = []

    def add(self, panel: Panel, left: float, top: float, x_title: str, more_is_better: bool) -> None:
        """Draw a panel whose upper left corner is there."""
        x = log_axis([mark.x for mark in panel.marks], left, left + WIDTH)
        y = _score_axis(panel, top + HEIGHT, top)
        self._axes(panel, x, y, x_title)
        before = len(self.stairs)
        for solid, stair in zip((True, False), panel.frontiers, strict=True):
            self._stair([(x.pixel(a), y.pixel(b)) for a, b in stair], solid, more_is_better)
        for mark in sorted(panel.marks, key=lambda mark: not mark.hollow):  # what was measured lies on top
            self._mark(mark, x, y)
        self._names(panel, x, y, self.stairs[before:])

    def _axes(self, panel: Panel, x: Axis, y: Axis, x_title: str) -> None:
        rules = [(at, y.end, at, y.start) for at in map(x.pixel, x.ticks())]
        rules += [(x.start, at, x.end, at) for at in map(y.pixel, y.ticks())]
        self.grid += [_span(*rule, opacity=0.1) for rule in rules]
        if panel.chance is not None and shows_chance(panel):
            at = y.pixel(panel.chance)
            self.grid.append(_span(x.start, at, x.end, at, opacity=0.6))
        foot = y.start
        self.words["center"] += [_word(tick_text(v), x.pixel(v), foot + 13, TICK_SIZE, 0.75) for v in x.ticks()]
        self.words["right"] += [_word(tick_text(v), x.start - 6, y.pixel(v), TICK_SIZE, 0.75) for v in y.ticks()]
        self.words["center"].append(_word(x_title, (x.start + x.end) / 2, foot + 29, TICK_SIZE, 0.75))
        self.titles.append(_word(_short(panel.title, 44), x.start, y.end - 14, TITLE_SIZE, 1))

    def _stair(self, points: Sequence[tuple[float, float]], solid: bool, more_is_better: bool) -> None:
        """Right angles between the points: upright first where more is better, level first where less is."""
        corners = [
            (before[0], after[1]) if more_is_better else (after[0], before[1]) for before, after in pairwise(points)
        ]
        path = [point for pair in zip(points, corners, strict=False) for point in pair] + list(points[-1:])
        look = {
            "color": ACCENT if solid else INK,
            "opacity": 0.8 if solid else 0.45,
            "dash": [1, 0] if solid else [4, 3],
        }
        self.stairs += [_span(*a, *b, **look) for a, b in pairwise(path)]

    def _mark(self, mark: Mark, x: Axis, y: Axis) -> None:
        at, up = x.pixel(mark.x), y.pixel(mark.y)
        look = {"color": INK if mark.hollow else ACCENT, "opacity": 0.35 if mark.hollow else 0.8}
        if mark.x_ends:
            self.bars.append(_span(x.pixel(mark.x_ends[0]), up, x.pixel(mark.x_ends[1]), up, **look))
        if mark.y_ends:
            self.bars.append(_span(at, y.pixel(mark.y_ends[0]), at, y.pixel(mark.y_ends[1]), **look))
        color = INK if mark.source == "limit" else ACCENT
        fill = PAPER if mark.hollow else color
        self.marks.append({"x": at, "y": up, "shape": SHAPES[mark.source], "stroke": color, "fill": fill})

    def _names(self, panel: Panel, x: Axis, y: Axis, stairs: Sequence[Row]) -> None:
        """Names beside their marks: those on a stair first, then the rest from the left, as far as there is room."""
        stair = {point for frontier in panel.frontiers for point in frontier}
        order = sorted(panel.marks, key=lambda m: ((m.x, m.y) not in stair, m.hollow, m.x, m.y, m.name))
        names = [Label(_short(m.name, MOST_LETTERS), x.pixel(m.x) - x.start, y.pixel(m.y) - y.end) for m in order]
        marks = [Box.around(name.x, name.y, 5) for name in names]
        lines = [Box.along(s["x"] - x.start, s["y"] - y.end, s["x2"] - x.start, s["y2"] - y.end) for s in stairs]
        for (align, dx, dy), found in placed(names, marks, lines, (WIDTH, HEIGHT), LABEL_SIZE).items():
            self.words[align] += [
                _word(names[at].text, x.start + names[at].x + dx, y.end + names[at].y + dy, LABEL_SIZE, 0.9)
                for at in found
            ]

    def spec(self, width: int, height: int) -> Row:
        """The specification (Vega-Lite v5) of a picture of that size."""
        text = {"type": "text", "baseline": "middle", "color": INK}
        rule = {"type": "rule", "strokeWidth": 1.25}
        look = {name: _plain(name) for name in ("color", "opacity")}
        layers = [
            _layer(self.grid, {"type": "rule", "color": INK, "strokeWidth": 1}, _SPAN | {"opacity": _plain("opacity")}),
            _layer(self.stairs, rule, _SPAN | look | {"strokeDash": _plain("dash")}),
            _layer(self.bars, rule, _SPAN | look),
            _layer(
                self.marks,
                {"type": "point", "filled": True, "size": 50, "strokeWidth": 1.3, "opacity": 1},
                _AT | {name: _plain(name) for name in ("shape", "stroke", "fill")},
            ),
            *(_layer(rows, text | {"align": align}, _WORD) for align, rows in self.words.items()),
            _layer(self.titles, text | {"align": "left", "fontWeight": 600}, _WORD),
        ]
        return {
            "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
            "background": None,
            "padding": 0,
            "width": width,
            "height": height,
            "layer": [layer for layer in layers if layer["data"]["values"]],
            "config": CONFIG,
        }


def _plain(field: str) -> Row:
    """A channel whose values are taken as they are."""
    return {"field": field, "type": "nominal", "scale": None, "legend": None}


def _pixels(field: str) -> Row:
    return {"field": field, "type": "quantitative", "scale": None, "axis": None}


_AT = {"x": _pixels("x"), "y": _pixels("y")}
_SPAN = _AT | {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
_WORD = _AT | {"text": _plain("text"), "size": _plain("size"), "opacity": _plain("opacity")}
_WORD["text"] = {"field": "text", "type": "nominal"}


def _layer(rows: Iterable[Row], mark: Row, encoding: Row) -> Row:
    return {"data": {"values": list(rows)}, "mark": mark, "encoding": encoding}


def _span(x: float, y: float, x2: float, y2: float, **look: Any) -> Row:
    return {"x": x, "y": y, "x2": x2, "y2": y2, **look}


def _word(text: str, x: float, y: float, size: float, opacity: float) -> Row:
    return {"text": writable(text), "x": x, "y": y, "size": size, "opacity": opacity}


def _short(name: str, most: int) -> str:
    told = " ".join(name.split())
    return told if len(told) <= most else f"{told[: most - 1]}…"
