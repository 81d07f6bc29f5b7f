"""The picture of a comparison: a line a task, how far the second model is from the first, with its interval.

Only metrics between 0 and 1 of which more is better share the axis; the table has the others. The marks are hidden from
screen readers, which read the summary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.cells import writable
from reports.charts.style import Chart
from reports.charts.svg import svg_of
from reports.charts.task_lines import MOST_LINES, framed, rule_at, short_name

WIDTH = 190
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
            "name": short_name(change.name),
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
    x = {
        "type": "quantitative",
        "scale": {"domain": [low - room, high + room], "nice": False},
        "axis": {"format": "+.2~f", "tickCount": 5, "labelOpacity": 0.8},
        "title": None,
    }
    colour = {"field": "colour", "type": "nominal", "scale": None}
    return framed(lines, WIDTH, x, [rule_at(0)], {}, {"color": colour})
