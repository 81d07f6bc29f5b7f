"""The picture of a comparison: a line a task, how far the second model is from the first, with its interval.

Only metrics between 0 and 1 of which more is better share the axis; the table has the others. The marks are hidden from
screen readers, which read the summary.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.cells import writable
from reports.charts.style import CONFIG, Chart
from reports.charts.svg import svg_of

MOST_LINES = 40
LONGEST_NAME = 22
WIDTH, HEIGHT = 190, 22
"""Of a telephone; a page shows it larger where it has room."""
SIDES = 1.3
"""The axis goes so many times as far as what is drawn on it."""
COLOURS = {"worse": "var(--bad)", "better": "var(--accent)"}


@dataclass(frozen=True)
class Change:
    """B − A on one task."""

    name: str
    value: float
    lower: float
    upper: float
    verdict: str


def draw(changes: Sequence[Change]) -> Chart | None:
    """Draw the differences; None where there is nothing to draw."""
    shown = changes[:MOST_LINES]
    if not shown:
        return None
    words = "; ".join(f"{change.name} {100 * change.value:+.1f} points ({change.verdict})" for change in shown[:8])
    more = f", and {len(shown) - 8} more" if len(shown) > 8 else ""
    summary = f"B − A on {len(shown)} tasks with 95 % intervals: {words}{more}. The table below holds the same numbers."
    return Chart(svg_of(_spec(shown)), writable(summary), len(changes) - len(shown))


def _spec(changes: Sequence[Change]) -> dict[str, Any]:
    lines = [
        {
            "name": _short(change.name),
            "value": 100 * change.value,
            "lower": 100 * change.lower,
            "upper": 100 * change.upper,
            "colour": COLOURS.get(change.verdict, "currentColor"),
            "words": f"{100 * change.value:+.1f}",
        }
        for change in changes
    ]
    low, high = 100 * min(0.0, *(each.lower for each in changes)), 100 * max(0.0, *(each.upper for each in changes))
    room = max(1.0, (high - low) * (SIDES - 1) / 2)
    names = list(dict.fromkeys(line["name"] for line in lines))
    y = {
        "field": "name",
        "type": "nominal",
        "sort": names,
        "title": None,
        "axis": {"labelLimit": 130},
    }
    x = {
        "type": "quantitative",
        "scale": {"domain": [low - room, high + room], "nice": False},
        "axis": {"format": "+.2~f", "tickCount": 5, "labelOpacity": 0.8},
        "title": None,
    }
    colour = {"field": "colour", "type": "nominal", "scale": None}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "padding": {"left": 12, "right": 4, "top": 2, "bottom": 2},
        "width": WIDTH,
        "height": {"step": HEIGHT},
        "data": {"values": lines},
        "layer": [
            {
                "mark": {"type": "rule", "color": "currentColor", "opacity": 0.6},
                "encoding": {"x": {"datum": 0, "type": "quantitative"}},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"y": y, "x": {**x, "field": "lower"}, "x2": {"field": "upper"}, "color": colour},
            },
            {
                "mark": {"type": "point", "filled": True, "opacity": 1, "size": 46},
                "encoding": {"y": y, "x": {**x, "field": "value"}, "color": colour},
            },
            {
                "mark": {"type": "text", "dy": -8, "fontSize": 10, "color": "currentColor"},
                "encoding": {"y": y, "x": {**x, "field": "value"}, "text": {"field": "words", "type": "nominal"}},
            },
        ],
        "config": CONFIG,
    }


def _short(name: str) -> str:
    one_line = re.sub(r"\s+", " ", writable(name))
    return one_line if len(one_line) <= LONGEST_NAME else f"{one_line[: LONGEST_NAME - 1]}…"
