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
    boxes = [
        {
            "left": row.depth * INDENT,
            "right": row.depth * INDENT + WIDTH,
            "top": index * ROW,
            "bottom": index * ROW + BOX,
            "text": writable(f"{row.label}   {row.made_by}"),
        }
        for index, row in enumerate(rows)
    ]
    lines = [line for index, row in enumerate(rows) for line in _lines(index, row)]
    width = max((box["right"] for box in boxes), default=WIDTH)
    height = max((box["bottom"] for box in boxes), default=BOX)

    def axis(field: str, end: int) -> dict[str, Any]:
        reverse = field in ("top", "y")
        return {"field": field, "type": "quantitative", "axis": None, "scale": {"domain": [0, end], "reverse": reverse}}

    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "description": "Lineage of the models",
        "width": width,
        "height": height,
        "config": {"view": {"stroke": None}, "font": "sans-serif"},
        "layer": [
            {
                "data": {"values": lines},
                "mark": {"type": "rule", "color": "#888"},
                "encoding": {"x": axis("x", width), "x2": {"field": "x2"}, "y": axis("y", height), "y2": {"field": "y2"}},
            },
            {
                "data": {"values": boxes},
                "mark": {"type": "rect", "fill": "white", "stroke": "#444", "cornerRadius": 4},
                "encoding": {
                    "x": axis("left", width), "x2": {"field": "right"},
                    "y": axis("top", height), "y2": {"field": "bottom"},
                },
            },
            {
                "data": {"values": [{**box, "y": (box["top"] + box["bottom"]) / 2} for box in boxes]},
                "mark": {"type": "text", "align": "left", "baseline": "middle", "dx": 8, "limit": WIDTH - 16},
                "encoding": {
                    "x": axis("left", width), "y": axis("y", height), "text": {"field": "text", "type": "nominal"},
                },
            },
        ],
    }  # fmt: skip


def _lines(index: int, row: LineageRow) -> list[dict[str, float]]:
    """Down from the parent's box, then across to the model's own."""
    if row.parent_row is None:
        return []
    x, middle = (row.depth - 0.5) * INDENT, index * ROW + BOX / 2
    return [
        {"x": x, "x2": x, "y": row.parent_row * ROW + BOX, "y2": middle},
        {"x": x, "x2": row.depth * INDENT, "y": middle, "y2": middle},
    ]
