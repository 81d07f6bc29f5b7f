"""The picture of the lineage: a box a model, indented under its parent, as a static SVG drawn by Vega-Lite.

On a page it is drawn in the page's colours, one model marked, and hidden from screen readers: the page names the same
relatives in words, as links.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from reports.cells import writable
from zoo.registry.lineage import LineageRow

ROW, BOX, INDENT, WIDEST = 50, 42, 40, 700
"""Pixels: from one row to the next, the height of a box, an indent, the width of the widest box."""
PADDING, NAME_SIZE, DETAIL_SIZE = 10, 13, 11
"""Pixels: inside a box at its left, letters of a model's name, letters of how it was made."""
MOST_LETTERS = 160
"""Of a line: more than the widest box has room for, and few enough to be measured at once."""
LETTER = 0.64
"""Width of a letter as a share of its size: the reader's font is not known here, so boxes are made a little too wide."""


class Colours(NamedTuple):
    """What lines, boxes and letters are drawn in."""

    paper: str
    ink: str
    soft: str
    mark: str
    marked_paper: str


ALONE = Colours("white", "black", "#666", "#1f66ad", "#eef4fa")
"""Of a picture that is a file of its own."""
ON_PAGE = Colours("var(--paper)", "currentColor", "var(--soft)", "var(--accent)", "var(--wash)")
"""Of one in a page: they follow light, dark and print."""
PLACE = re.compile(r"frame-(stroke|width|fill)-(\d+)")
"""What the drawing has in place of a box's frame, until it is known which model is marked."""


def lineage_svg(rows: Sequence[LineageRow], mark: str | None = None, colours: Colours = ALONE) -> str:
    """The SVG of these rows, parents above their children, the model of id `mark` framed. Names are text and never markup."""
    ids = [row.id for row in rows]
    frames = {
        True: {"stroke": colours.mark, "width": "2.5", "fill": colours.marked_paper},
        False: {"stroke": colours.soft, "width": "1", "fill": colours.paper},
    }
    return PLACE.sub(lambda place: frames[ids[int(place[2])] == mark][place[1]], _drawn(tuple(rows), colours))


def family_of(rows: Sequence[LineageRow], model: str) -> list[LineageRow]:
    """Of the rows of all trees, those of the tree that holds the model; none where no tree does."""
    at = next((index for index, row in enumerate(rows) if row.id == model), None)
    if at is None:
        return []
    start = next(index for index in range(at, -1, -1) if rows[index].depth == 0)
    end = next((index for index in range(at + 1, len(rows)) if rows[index].depth == 0), len(rows))
    return [
        LineageRow(
            row.id, row.label, row.made_by, row.depth, None if row.parent_row is None else row.parent_row - start
        )
        for row in rows[start:end]
    ]


@functools.lru_cache(maxsize=32)
def _drawn(rows: tuple[LineageRow, ...], colours: Colours) -> str:
    """The picture with a place for each box's frame: every model of a family has the same one, and drawing takes a while."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(_spec(rows, colours))
    if colours is ALONE:
        return drawn
    return re.sub(r"^<svg ", '<svg aria-hidden="true" focusable="false" ', drawn, count=1)


def _spec(rows: Sequence[LineageRow], colours: Colours) -> dict[str, Any]:
    wide = _width(rows)
    width = max((row.depth for row in rows), default=0) * INDENT + wide
    height = max(len(rows), 1) * ROW
    x = {"type": "quantitative", "axis": None, "scale": {"domain": [0, width]}}
    y = {"type": "quantitative", "axis": None, "scale": {"domain": [0, height], "reverse": True}}
    span = {"x": {"field": "x", **x}, "x2": {"field": "x2"}, "y": {"field": "y", **y}, "y2": {"field": "y2"}}
    frame = {
        channel: {"field": channel, "type": "nominal", "scale": None} for channel in ("stroke", "strokeWidth", "fill")
    }
    at = {"x": {"field": "x", **x}, "y": {"field": "middle", **y}, "text": {"field": "text", "type": "nominal"}}
    boxes = [_box(index, row, wide) for index, row in enumerate(rows)]
    lines = [line for index, row in enumerate(rows) for line in _lines(index, row)]
    letters = {"type": "text", "align": "left", "baseline": "middle", "dx": PADDING, "limit": wide - 2 * PADDING}
    layers = [
        (lines, {"type": "rule", "color": colours.soft}, span),
        (boxes, {"type": "rect", "cornerRadius": 4}, {**span, **frame}),
        (_texts(boxes, "label"), {**letters, "fontSize": NAME_SIZE, "color": colours.ink}, at),
        (_texts(boxes, "made_by"), {**letters, "fontSize": DETAIL_SIZE, "color": colours.soft}, at),
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "description": "Lineage of the models",
        "background": None if colours is ON_PAGE else "white",
        "width": width,
        "height": height,
        "padding": 2,
        "config": {"view": {"stroke": None}, "font": "system-ui, sans-serif", "aria": colours is ALONE},
        "layer": [{"data": {"values": data}, "mark": mark, "encoding": encoding} for data, mark, encoding in layers],
    }


def _width(rows: Sequence[LineageRow]) -> int:
    """Of every box: what the longest text needs."""
    letters = (max(len(row.label) * NAME_SIZE, len(row.made_by) * DETAIL_SIZE) for row in rows)
    return min(WIDEST, int(max(letters, default=0) * LETTER) + 2 * PADDING)


def _box(index: int, row: LineageRow, wide: int) -> dict[str, Any]:
    left, top = row.depth * INDENT, index * ROW
    return {
        "label": writable(row.label[:MOST_LETTERS]),
        "made_by": writable(row.made_by[:MOST_LETTERS]),
        "stroke": f"frame-stroke-{index}",
        "strokeWidth": f"frame-width-{index}",
        "fill": f"frame-fill-{index}",
        "x": left,
        "x2": left + wide,
        "y": top,
        "y2": top + BOX,
    }


def _texts(boxes: Sequence[dict[str, Any]], what: str) -> list[dict[str, Any]]:
    """The texts of one kind with their places: a name alone stands in the middle of its box, else above the second line."""
    return [
        {
            "x": box["x"],
            "middle": box["y"] + BOX * (0.5 if not box["made_by"] else 0.33 if what == "label" else 0.72),
            "text": box[what],
        }
        for box in boxes
        if box[what]
    ]


def _lines(index: int, row: LineageRow) -> list[dict[str, float]]:
    """Down from the parent's box, then across to the model's own."""
    if row.parent_row is None:
        return []
    x, middle = (row.depth - 0.5) * INDENT, index * ROW + BOX / 2
    return [
        {"x": x, "x2": x, "y": row.parent_row * ROW + BOX, "y2": middle},
        {"x": x, "x2": row.depth * INDENT, "y": middle, "y2": middle},
    ]
