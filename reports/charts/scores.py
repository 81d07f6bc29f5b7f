"""The picture of the scores: a panel a task, a point a model with its interval, a line where guessing stands.

Drawn once, as SVG without a script or a font of its own, in the colours of the page (`currentColor`), so that it
follows light and dark. The table holds the same numbers: the marks are hidden from screen readers, which read the
summary instead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.cells import writable

MOST_PANELS = 30
PANEL_WIDTH, COLUMNS, LABEL_LIMIT = 190, 4, 190
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


def draw(scores: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Draw the newest measured score of each model on each task and metric; None where there is nothing to draw.

    Only metrics that lie between 0 and 1 and grow with quality share an axis; the others are in the table alone.
    """
    points = _points(scores)
    panels = list(dict.fromkeys(point["panel"] for point in points))
    if not panels:
        return None
    shown = [point for point in points if point["panel"] in panels[:MOST_PANELS]]
    models = list(dict.fromkeys(point["who"] for point in shown))
    summary = (
        f"Scores of {_count(len(models), 'model')} on {_count(len(panels[:MOST_PANELS]), 'task')}, from 0 to 1, "
        "with 95 % intervals and the score of guessing. The table below holds the same numbers."
    )
    return Chart(_svg(_spec(shown, panels[:MOST_PANELS], models)), summary, max(0, len(panels) - MOST_PANELS))


def _points(scores: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One point a model (and backend, device) and panel: the newest, in the order of the table."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for score in scores:
        if score["source"] != "measured" or score["status"] != "ok" or not _is_share(score):
            continue
        point = {
            "panel": _panel(score),
            "model": writable(score["model"]),
            "who": writable(f"{score['model']} ({score['backend']}, {score['gpu'] or score['device']})"),
            "value": score["value"],
            "lower": score["lower"],
            "upper": score["upper"],
            "chance": score["chance"],
            "when": str(score["finished_at"] or ""),
        }
        key = (point["panel"], point["who"])
        if key not in newest or newest[key]["when"] <= point["when"]:
            newest[key] = point
    return _short_names(list(newest.values()))


def _short_names(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave backend and device out of the names of models that were measured in one way only."""
    ways = Counter(model for model, _ in {(point["model"], point["who"]) for point in points})
    return [{**point, "who": point["model"] if ways[point["model"]] == 1 else point["who"]} for point in points]


def _panel(score: Mapping[str, Any]) -> str:
    details = [score["metric"]]
    if score["filter"] not in (None, "none"):
        details.append(score["filter"])
    if score["shots"] is not None:
        details.append(f"{score['shots']}-shot")
    return writable(f"{score['task']}\n{', '.join(details)}")


def _is_share(score: Mapping[str, Any]) -> bool:
    value = score["value"]
    return bool(score["higher_is_better"]) and value is not None and 0 <= value <= 1  # not NaN either


def _spec(points: list[dict[str, Any]], panels: list[str], models: list[str]) -> dict[str, Any]:
    """The Vega-Lite specification (v5) of small multiples that share the axis 0 to 1.

    Labels are measured with another font than the reader's, so there is a fifth of their width to spare on the left.
    """
    spare = min(LABEL_LIMIT, 7 * max(len(model) for model in models)) // 5
    y = {"field": "who", "type": "nominal", "sort": models, "title": None}
    x = {
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".2~f", "labelOpacity": 0.7},
        "title": None,
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "padding": {"left": spare, "right": 8, "top": 2, "bottom": 2},
        "data": {"values": points},
        "facet": {"field": "panel", "type": "nominal", "sort": panels, "title": None},
        "columns": COLUMNS,
        "spacing": {"row": 14, "column": 40},
        "spec": {
            "width": PANEL_WIDTH,
            "height": {"step": 17},
            "layer": [
                {
                    "mark": {"type": "tick", "color": "currentColor", "opacity": 0.55, "thickness": 1, "size": 17},
                    "encoding": {"y": y, "x": {**x, "field": "chance"}},
                },
                {
                    "mark": {"type": "rule", "color": ACCENT, "strokeWidth": 2},
                    "encoding": {"y": y, "x": {**x, "field": "lower"}, "x2": {"field": "upper"}},
                },
                {
                    "mark": {"type": "point", "filled": True, "color": ACCENT, "opacity": 1, "size": 42},
                    "encoding": {"y": y, "x": {**x, "field": "value"}},
                },
            ],
        },
        "config": CONFIG,
    }


def _svg(spec: dict[str, Any]) -> str:
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(spec)
    return re.sub(r"^<svg ", '<svg aria-hidden="true" focusable="false" ', drawn, count=1)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
