"""The picture of a recovery: a line a task, from the pruned model at 0 % to the parent at 100 %, the distilled one between.

The marks are hidden from screen readers, which read the summary; the table below holds the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.cells import writable
from reports.charts.style import ACCENT, Chart
from reports.charts.svg import svg_of
from reports.charts.task_lines import MOST_LINES, framed, rule_at, short_name

WIDTH = 230
"""Of a telephone; a page shows it larger where it has room."""
LEAST, MOST = -50.0, 150.0
"""Percent: the axis goes no farther, however wide an interval is."""


@dataclass(frozen=True)
class Share:
    """What distillation won back on one task: 0 where the pruned model stands, 1 where its parent does."""

    name: str
    value: float
    lower: float | None
    upper: float | None


def draw(shares: Sequence[Share]) -> Chart | None:
    """Draw the shares; None where there is none. What lies beyond the axis is drawn at its end, and the summary says so."""
    shown = shares[:MOST_LINES]
    if not shown:
        return None
    words = "; ".join(f"{each.name} {100 * each.value:.0f} %" for each in shown[:8])
    more = f", and {len(shown) - 8} more" if len(shown) > 8 else ""
    beyond = " Some reach beyond the axis." if any(_reaches_beyond(each) for each in shown) else ""
    summary = (
        f"Share of what pruning cost that distillation won back, with 95 % intervals; 0 % is the pruned model, 100 % its "
        f"parent: {words}{more}.{beyond} The table below holds the same numbers."
    )
    return Chart(svg_of(_spec(shown)), writable(summary), len(shares) - len(shown))


def _reaches_beyond(share: Share) -> bool:
    ends = (share.value, share.lower, share.upper)
    return any(end is not None and not LEAST <= 100 * end <= MOST for end in ends)


def _line(share: Share) -> dict[str, Any]:
    at = _held(share.value)
    lower, upper = (at if end is None else _held(end) for end in (share.lower, share.upper))
    words = f"{100 * share.value:.0f} %"
    return {"name": short_name(share.name), "value": at, "lower": lower, "upper": upper, "words": words}


def _held(share: float) -> float:
    return min(MOST, max(LEAST, 100 * share))


def _spec(shares: Sequence[Share]) -> dict[str, Any]:
    lines = [_line(share) for share in shares]
    low, high = min(-8.0, *(line["lower"] for line in lines)), max(108.0, *(line["upper"] for line in lines))
    x = {
        "type": "quantitative",
        "scale": {"domain": [low, high], "nice": False},
        "axis": {"values": [0, 50, 100], "labelOpacity": 0.8,
                 "labelExpr": "datum.value == 0 ? 'pruned' : datum.value == 100 ? 'parent' : datum.value + ' %'"},
        "title": None,
    }  # fmt: skip
    behind = [rule_at(end) for end in (0, 100)]
    return framed(lines, WIDTH, x, behind, {"color": ACCENT}, {})
