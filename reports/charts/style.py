"""What the charts of the pages have in common.

Each is drawn once, as SVG without a script or a font of its own, in the colours of the page (`currentColor`), so that it
follows light and dark. A table holds the same numbers: the marks are hidden from screen readers, which read the summary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PANEL_WIDTH, LABEL_LIMIT = 190, 190
ACCENT = "var(--accent)"
CONFIG: dict[str, Any] = {
    "aria": False,
    "lineBreak": "\n",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "currentColor",
        "labelFontSize": 11,
        "labelLimit": LABEL_LIMIT,
        "domain": False,
        "ticks": False,
        "gridColor": "currentColor",
        "gridOpacity": 0.12,
    },
    "axisY": {"grid": False, "labelPadding": 6},
    "header": {
        "labelColor": "currentColor",
        "labelFontSize": 11,
        "labelAnchor": "start",
        "labelPadding": 4,
        "labelLimit": PANEL_WIDTH + 15,
    },
}
"""Of Vega-Lite: the page's font and colours."""


@dataclass(frozen=True)
class Chart:
    """An SVG to put into a page, what it shows in a sentence, and how many panels there was no room for."""

    svg: str
    summary: str
    left_out: int
