"""A series over nights as a static picture: a point a night with its interval where it has one, a rule at each change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.fleet.history.change_points import Told
from harness.fleet.history.series import hardware_of
from reports.cells import writable
from reports.charts.style import ACCENT, CONFIG
from reports.charts.svg import svg_of
from reports.pages.history.words import KINDS, change_words

WIDTH, HEIGHT = 640, 130
MOST_NIGHTS = 365
"""The newest that are drawn."""


@dataclass(frozen=True)
class Picture:
    """One series drawn."""

    title: str
    svg: str
    summary: str
    """For ears: what the picture shows."""


def picture_of(one: Told) -> Picture:
    """The picture of a series with its changes."""
    key, figures = one.series.key, one.series.figures[-MOST_NIGHTS:]
    title = f"{key.model}: {key.task}, {key.metric}, {KINDS.get(key.kind, key.kind)} on {hardware_of(key)}"
    points: list[dict[str, Any]] = [
        {"when": figure.finished_at.isoformat(), "value": figure.value, "lower": figure.lower, "upper": figure.upper}
        for figure in figures
    ]
    begin = figures[0].finished_at
    changes = [
        {"when": change.after.finished_at.isoformat(), "words": change_words(change, key.kind)}
        for change in one.changes
        if change.after.finished_at >= begin
    ]
    told = "; ".join(f"{each['words']} on {each['when'][:10]}" for each in changes) or "no change"
    first, last = (f"{each['value']:.4g} on {each['when'][:10]}" for each in (points[0], points[-1]))
    return Picture(
        writable(title), svg_of(_spec(points, changes)), writable(f"{title}: from {first} to {last}; {told}")
    )


def _spec(points: list[dict[str, Any]], changes: list[dict[str, Any]]) -> dict[str, Any]:
    x = {"field": "when", "type": "temporal", "title": None, "scale": {"type": "utc"}, "axis": {"labelOverlap": True}}
    y = {"type": "quantitative", "title": None, "scale": {"zero": False}, "axis": {"format": ".4~g", "grid": True}}
    layers: list[dict[str, Any]] = [
        {
            "transform": [{"filter": "isValid(datum.lower) && isValid(datum.upper)"}],
            "mark": {"type": "rule", "opacity": 0.4, "color": "currentColor"},
            "encoding": {"x": x, "y": {**y, "field": "lower"}, "y2": {"field": "upper"}},
        },
        {
            "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.5, "color": "currentColor"},
            "encoding": {"x": x, "y": {**y, "field": "value"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 28, "opacity": 1, "color": "currentColor"},
            "encoding": {"x": x, "y": {**y, "field": "value"}},
        },
    ]
    if changes:
        layers += [
            {
                "data": {"values": changes},
                "mark": {"type": "rule", "strokeDash": [4, 3], "color": ACCENT},
                "encoding": {"x": x},
            },
            {
                "data": {"values": changes},
                "mark": {"type": "text", "dy": -4, "baseline": "bottom", "fontSize": 10, "color": "currentColor"},
                "encoding": {"x": x, "y": {"value": 0}, "text": {"field": "words", "type": "nominal"}},
            },
        ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "padding": {"left": 4, "right": 24, "top": 14, "bottom": 2},
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": points},
        "layer": layers,
        "config": CONFIG,
    }
