"""The picture of a finding: a point a seed, the mean with its interval below them, and the margin that was fixed beforehand.

In a page it has the page's colours and its marks are hidden from screen readers, which read the summary; in a file of its own,
black on white. The table holds the same numbers.
"""

from __future__ import annotations

import math
from typing import Any

from harness.findings.finding import Contrast
from harness.findings.judge import Judged
from reports.cells import writable
from reports.charts.style import ACCENT, CONFIG, Chart
from reports.charts.svg import svg_of

WIDTH, HEIGHT = 340, 64
SEEDS, MEAN = "each seed", "mean"
SIDES = 0.06
"""Of the axis, left free on both sides."""


def draw(judged: Judged, *, alone: bool = False) -> Chart | None:
    """Draw a finding; None where no seed has a number. `alone`: for a file of its own."""
    if not judged.pairs or judged.value is None:
        return None
    return Chart(svg_of(_spec(judged, alone)), writable(summary(judged)), 0)


def summary(judged: Judged) -> str:
    """The picture in words."""
    ends = (
        ""
        if judged.lower is None or judged.upper is None
        else f" (95 % interval {judged.lower:.4g} to {judged.upper:.4g})"
    )
    return f"{judged.finding.sentence} {judged.seeds} seeds, mean {judged.value:.4g}{ends}: {judged.word}."


def _spec(judged: Judged, alone: bool) -> dict[str, Any]:
    finding = judged.finding
    ratio = not isinstance(finding, Contrast)
    points = [math.exp(pair.value) if ratio else pair.value for pair in judged.pairs]
    null = 1.0 if ratio else 0.0
    edges = (
        [finding.margin]
        if ratio
        else [finding.margin, -finding.margin]
        if finding.kind != "superiority"
        else [finding.margin]
    )
    edges += [finding.factor] if ratio and finding.kind == "at-least" else []
    drawn = [*points, null, *edges, *(end for end in (judged.value, judged.lower, judged.upper) if end is not None)]
    x = {"type": "quantitative", "scale": _scale(drawn, ratio), "title": _title(judged)}
    x["axis"] = {"tickCount": 6, "format": "~g"}
    y = {"field": "row", "type": "nominal", "sort": [SEEDS, MEAN], "title": None}
    colour = "#1f5fa8" if alone else ACCENT
    mean = {
        "row": MEAN,
        "value": judged.value,
        "lower": judged.value if judged.lower is None else judged.lower,
        "upper": judged.value if judged.upper is None else judged.upper,
    }
    layers = [
        {"mark": {"type": "rule", "strokeDash": dash, "opacity": 0.6, "color": "currentColor"},
         "data": {"values": [{"at": at}]}, "encoding": {"x": {**x, "field": "at"}}}
        for at, dash in ((null, [1, 0]), *((edge, [3, 3]) for edge in edges))
    ]  # fmt: skip
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white" if alone else None,
        "padding": 6,
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": [{"row": SEEDS, "value": value} for value in points]},
        "layer": [
            *layers,
            {"mark": {"type": "point", "filled": True, "opacity": 0.7, "size": 34, "color": "currentColor"},
             "encoding": {"y": y, "x": {**x, "field": "value"}}},
            {"data": {"values": [mean]}, "mark": {"type": "rule", "strokeWidth": 2, "color": colour},
             "encoding": {"y": y, "x": {**x, "field": "lower"}, "x2": {"field": "upper"}}},
            {"data": {"values": [mean]}, "mark": {"type": "point", "filled": True, "opacity": 1, "size": 60, "color": colour},
             "encoding": {"y": y, "x": {**x, "field": "value"}}},
        ],
        "config": {**CONFIG, "axis": {**CONFIG["axis"], "titleColor": "currentColor", "titleFontWeight": "normal"}},
    }  # fmt: skip


def _scale(drawn: list[float], ratio: bool) -> dict[str, Any]:
    if ratio:
        room = (max(drawn) / min(drawn)) ** SIDES
        return {"type": "log", "domain": [min(drawn) / room, max(drawn) * room], "nice": False}
    room = SIDES * (max(drawn) - min(drawn))
    return {"domain": [min(drawn) - room, max(drawn) + room], "nice": False, "zero": False}


def _title(judged: Judged) -> str:
    if not isinstance(judged.finding, Contrast):
        return "times fewer tokens"
    return "lost less, % of the loss" if judged.finding.unit == "percent" else "lost less, nats a token"
