"""The picture of a distillation: its loss step by step, and what tasks said of the checkpoints on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from reports.cells import writable

WIDTH, HEIGHT = 720, 220
POINTS = 400
"""Of a line, at most: a run of more steps is drawn as the means of as many stretches of steps."""
TITLES = {"loss": "loss", "divergence": "divergence from the teacher", "cross_entropy": "cross-entropy of the text"}
"""Keys of a step that are drawn, and their names."""


def losses_svg(
    steps: Sequence[Mapping[str, float]], tasks: Mapping[str, Sequence[tuple[int, float]]], caption: str
) -> str:
    """Draw a run as one SVG: a panel of the losses in nats a token, and a panel a metric of the checkpoints' tasks.

    `steps` has of each step its number as `step` and any of `TITLES`; `tasks` has (step, value) by the task's name.
    """
    import vl_convert

    title = writable(caption)
    panels = [_panel("Loss in nats a token", _losses(steps), zero=False)]
    if tasks:
        rows = [{"step": step, "value": value, "of": name} for name in sorted(tasks) for step, value in tasks[name]]
        panels.append(_panel("Tasks, of the checkpoints", rows, zero=True))
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "title": {"text": title, "anchor": "start", "font": "sans-serif", "fontSize": 13, "fontWeight": "normal"},
        "vconcat": panels,
        "resolve": {"scale": {"color": "independent"}},
        "config": {
            "aria": False,
            "font": "sans-serif",
            "axisY": {"minExtent": 45, "maxExtent": 45, "gridOpacity": 0.5},
        },
    }
    drawn: str = vl_convert.vegalite_to_svg(spec)
    label = escape(f"Loss of a distillation by step, {title}", quote=True)
    return re.sub(r"^<svg ", lambda _: f'<svg role="img" aria-label="{label}" ', drawn, count=1)


def _losses(steps: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """The points of each line, a stretch of steps each where there are more than can be told apart."""
    stretch = -(-len(steps) // POINTS) or 1
    rows: list[dict[str, Any]] = []
    for begin in range(0, len(steps), stretch):
        part = steps[begin : begin + stretch]
        for key, name in TITLES.items():
            values = [step[key] for step in part if key in step]
            if values:
                rows.append({"step": part[-1]["step"], "value": sum(values) / len(values), "of": name})
    return rows


def _panel(title: str, rows: list[dict[str, Any]], zero: bool) -> dict[str, Any]:
    mark = {"type": "line", "strokeWidth": 1.5, "point": zero}
    return {
        "title": {"text": title, "anchor": "start", "frame": "group", "fontSize": 11},
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": rows},
        "mark": mark,
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "title": "step", "axis": {"format": "~s", "tickMinStep": 1}},
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": None,
                "scale": {"zero": zero},
                "axis": {"format": ".3~g"},
            },
            "color": {"field": "of", "type": "nominal", "title": None, "legend": {"orient": "top"}},
        },
    }
