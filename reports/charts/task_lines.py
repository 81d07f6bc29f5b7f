"""What pictures with a line a task share: the names beside the lines, and the frame around interval, mark and words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from reports.cells import writable
from reports.charts.style import CONFIG

MOST_LINES, LONGEST_NAME = 40, 22
HEIGHT = 22
"""Of a line."""


def short_name(name: str) -> str:
    """A task's name in one line that has room beside the picture."""
    one_line = re.sub(r"\s+", " ", writable(name))
    return one_line if len(one_line) <= LONGEST_NAME else f"{one_line[: LONGEST_NAME - 1]}…"


def framed(
    lines: Sequence[dict[str, Any]],
    width: int,
    x: dict[str, Any],
    behind: Sequence[dict[str, Any]],
    mark: dict[str, Any],
    encoding: dict[str, Any],
) -> dict[str, Any]:
    """The picture of `lines` (name, value, lower, upper, words) for Vega-Lite: a rule over each interval, a point and words at
    each value, on the axis `x`, over what lies `behind`. `mark` and `encoding` give rule and point their colour."""
    y = {
        "field": "name",
        "type": "nominal",
        "sort": list(dict.fromkeys(line["name"] for line in lines)),
        "title": None,
        "axis": {"labelLimit": 130},
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "padding": {"left": 12, "right": 4, "top": 2, "bottom": 2},
        "width": width,
        "height": {"step": HEIGHT},
        "data": {"values": lines},
        "layer": [
            *behind,
            {
                "mark": {"type": "rule", "strokeWidth": 2, **mark},
                "encoding": {"y": y, "x": {**x, "field": "lower"}, "x2": {"field": "upper"}, **encoding},
            },
            {
                "mark": {"type": "point", "filled": True, "opacity": 1, "size": 46, **mark},
                "encoding": {"y": y, "x": {**x, "field": "value"}, **encoding},
            },
            {
                "mark": {"type": "text", "dy": -8, "fontSize": 10, "color": "currentColor"},
                "encoding": {"y": y, "x": {**x, "field": "value"}, "text": {"field": "words", "type": "nominal"}},
            },
        ],
        "config": CONFIG,
    }


def rule_at(value: float) -> dict[str, Any]:
    """A line across all tasks at that value."""
    return {
        "mark": {"type": "rule", "color": "currentColor", "opacity": 0.6},
        "encoding": {"x": {"datum": value, "type": "quantitative"}},
    }
