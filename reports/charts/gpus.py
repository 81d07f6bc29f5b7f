"""What each GPU allows of a model and of its parent at batch 1, and what was measured: a line a GPU, as static SVG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.cells import writable
from reports.charts.frontier import CONFIG, SHAPES

WIDTH, STEP, LABEL_LIMIT = 480, 19, 190
AXIS: dict[str, Any] = {
    "labelColor": "currentColor",
    "titleColor": "currentColor",
    "labelFontSize": 11,
    "titleFontSize": 11,
    "titleFontWeight": "normal",
    "domain": False,
    "ticks": False,
    "gridColor": "currentColor",
    "gridOpacity": 0.12,
}


@dataclass(frozen=True)
class GpuLine:
    """A GPU. Rates are output tokens a second; None of what does not fit, or was not timed."""

    name: str
    child: float | None
    parent: float | None
    child_timed: float | None = None
    parent_timed: float | None = None


def draw(lines: Sequence[GpuLine]) -> str:
    """The SVG, hidden from screen readers; nothing where nothing is known. The child in the accent's colour."""
    points = [
        {"gpu": writable(line.name), "rate": rate, "who": who, "shape": SHAPES[source]}
        for line in lines
        for who, source, rate in (
            ("parent", "limit", line.parent),
            ("child", "limit", line.child),
            ("parent", "measured", line.parent_timed),
            ("child", "measured", line.child_timed),
        )
        if rate is not None
    ]
    if not points:
        return ""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(_spec(lines, points))
    return re.sub(r"^<svg ", '<svg aria-hidden="true" focusable="false" ', drawn, count=1)


def _spec(lines: Sequence[GpuLine], points: list[dict[str, Any]]) -> dict[str, Any]:
    names = [writable(line.name) for line in lines]
    y = {
        "field": "gpu",
        "type": "nominal",
        "sort": names,
        "title": None,
        "axis": {"grid": False, "labelLimit": LABEL_LIMIT},
    }
    scale = {"domainMin": 0, "nice": True}
    x = {"type": "quantitative", "scale": scale, "axis": {"title": "output tokens/s", "format": ",.0f", "tickCount": 5}}
    spans = [
        {"gpu": writable(line.name), "a": line.parent, "b": line.child} for line in lines if line.parent and line.child
    ]
    color = {"condition": {"test": "datum.who == 'child'", "value": "var(--accent)"}, "value": "currentColor"}
    shape = {"field": "shape", "type": "nominal", "scale": None, "legend": None}
    hollow = {"test": f"datum.shape == '{SHAPES['limit']}'", "value": "var(--paper)"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "padding": {"left": 34, "right": 8, "top": 2, "bottom": 2},
        "width": WIDTH,
        "height": {"step": STEP},
        "layer": [
            {
                "data": {"values": spans},
                "mark": {"type": "rule", "color": "currentColor", "opacity": 0.25},
                "encoding": {"y": y, "x": {**x, "field": "a"}, "x2": {"field": "b"}},
            },
            {
                "data": {"values": points},
                "mark": {"type": "point", "filled": True, "size": 52, "strokeWidth": 1.3, "opacity": 1},
                "encoding": {
                    "y": y,
                    "x": {**x, "field": "rate"},
                    "shape": shape,
                    "stroke": color,
                    "fill": {"condition": [hollow, color["condition"]], "value": "currentColor"},
                },
            },
        ],
        "config": {**CONFIG, "axis": AXIS},
    }
