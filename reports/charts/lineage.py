"""The picture of the lineage: a box a model, indented under its parent, as a static SVG drawn by Vega-Lite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.cells import writable
from zoo.registry.lineage import LineageRow

ROW, BOX, INDENT, WIDTH = 34, 26, 40, 640
"""Pixels: from one row to the next, the height of a box, an indent, the width of a box."""


def lineage_svg(rows: Sequence[LineageRow]) -> str:
    """The SVG of these rows, parents above their children. Names are text in it and never markup."""
    import vl_convert

    return vl_convert.vegalite_to_svg(_spec(rows))


def _spec(rows: Sequence[LineageRow]) -> dict[str, Any]:
    width = max((row.depth for row in rows), default=0) * INDENT + WIDTH
    height = max(len(rows), 1) * ROW
    x = {"type": "quantitative", "axis": None, "scale": {"domain": [0, width]}}
    y = {"type": "quantitative", "axis": None, "scale": {"domain": [0, height], "reverse": True}}
    span = {"x": {"field": "x", **x}, "x2": {"field": "x2"}, "y": {"field": "y", **y}, "y2": {"field": "y2"}}
    at = {"x": {"field": "x", **x}, "y": {"field": "middle", **y}, "text": {"field": "text", "type": "nominal"}}
    boxes = [_box(index, row) for index, row in enumerate(rows)]
    lines = [line for index, row in enumerate(rows) for line in _lines(index, row)]
    layers = (
        (lines, {"type": "rule", "color": "#888"}, span),
        (boxes, {"type": "rect", "fill": "white", "stroke": "#444", "cornerRadius": 4}, span),
        (boxes, {"type": "text", "align": "left", "baseline": "middle", "dx": 8, "limit": WIDTH - 16}, at),
    )
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "description": "Lineage of the models",
        "width": width,
        "height": height,
        "config": {"view": {"stroke": None}, "font": "sans-serif"},
        "layer": [{"data": {"values": data}, "mark": mark, "encoding": encoding} for data, mark, encoding in layers],
    }


def _box(index: int, row: LineageRow) -> dict[str, Any]:
    left, top = row.depth * INDENT, index * ROW
    text = writable(" – ".join(filter(None, (row.label, row.made_by))))
    return {"x": left, "x2": left + WIDTH, "y": top, "y2": top + BOX, "middle": top + BOX / 2, "text": text}


def _lines(index: int, row: LineageRow) -> list[dict[str, float]]:
    """Down from the parent's box, then across to the model's own."""
    if row.parent_row is None:
        return []
    x, middle = (row.depth - 0.5) * INDENT, index * ROW + BOX / 2
    return [
        {"x": x, "x2": x, "y": row.parent_row * ROW + BOX, "y2": middle},
        {"x": x, "x2": row.depth * INDENT, "y": middle, "y2": middle},
    ]
