"""The picture of importance scores: a panel an axis, a column a layer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.cells import writable

WIDTH, HEIGHT = 720, 150
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
BAND, BOX, MEDIAN, BARS = "#cfe3f5", "#6ba3d6", "#112233", "#d98b4a"
TITLES = {
    "heads": "Attention heads",
    "ffn": "MLP neurons",
    "hidden.0": "Hidden channels, norm before attention",
    "hidden.1": "Hidden channels, norm before the MLP",
}
DEPTH = {"bi": "Block Influence", "ppl": "Perplexity rise", "task": "Downstream drop"}


def importance_svg(scores: Mapping[str, NDArray[np.float64]], caption: str) -> str:
    """Draw the scores of a parent as one SVG; `caption` says of which parent, and on what data.

    `heads` [layers, query heads], `ffn` [layers, neurons] and `hidden` [layers, 2 norms, channels] are drawn as their spread
    in each layer: a band from the lowest to the highest unit, a box of the middle half, a tick at the median, on a log
    scale. All other arrays are depth measures `measure.N`, one value a block of N layers, drawn as bars.
    """
    import vl_convert

    title = writable(caption)
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "title": {"text": title, "anchor": "start", "font": "sans-serif", "fontSize": 13, "fontWeight": "normal"},
        "vconcat": _panels(scores),
        "config": {
            "aria": False,
            "font": "sans-serif",
            "axisY": {"minExtent": 45, "maxExtent": 45, "gridOpacity": 0.5},
        },
    }
    drawn: str = vl_convert.vegalite_to_svg(spec)
    label = escape(f"Importance of each layer's units, {title}", quote=True)
    return re.sub(r"^<svg ", lambda _: f'<svg role="img" aria-label="{label}" ', drawn, count=1)


def _panels(scores: Mapping[str, NDArray[np.float64]]) -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = []
    for name, values in sorted(scores.items()):
        if name == "hidden":
            panels += [_spread(TITLES[f"hidden.{norm}"], values[:, norm]) for norm in range(values.shape[1])]
        elif name in TITLES:
            panels.append(_spread(TITLES[name], values))
        else:
            measure, _, length = name.partition(".")
            block = "one layer" if length == "1" else f"{length} layers from here"
            panels.append(_bars(f"{DEPTH.get(measure, measure)} without {block}", values))
    return panels


def _spread(title: str, values: NDArray[np.float64]) -> dict[str, Any]:
    """The panel of [layers, units]. Values at or near 0, which have no place on a log scale, are drawn at its foot."""
    quantiles = np.quantile(values, QUANTILES, axis=1)
    floor = max(float(quantiles.max()) * 1e-6, 1e-12)
    rows = [
        dict(zip(("lowest", "q1", "median", "q3", "highest"), row, strict=True)) | {"layer": layer}
        for layer, row in enumerate(np.maximum(quantiles, floor).T.tolist())
    ]
    scale = {"type": "log", "zero": False, "nice": False}

    def y(field: str) -> dict[str, Any]:
        return {
            "field": field,
            "type": "quantitative",
            "scale": scale,
            "title": None,
            "axis": {"format": ".3~g", "tickCount": 6},
        }

    def bar(low: str, high: str, color: str) -> dict[str, Any]:
        return {
            "mark": {"type": "bar", "color": color},
            "encoding": {"x": _layers(), "y": y(low), "y2": {"field": high}},
        }

    median = {
        "mark": {"type": "tick", "color": MEDIAN, "thickness": 1.5},
        "encoding": {"x": _layers(), "y": y("median")},
    }
    return _panel(title, rows, [bar("lowest", "highest", BAND), bar("q1", "q3", BOX), median])


def _bars(title: str, values: NDArray[np.float64]) -> dict[str, Any]:
    rows = [{"layer": layer, "value": value} for layer, value in enumerate(values.tolist())]
    y = {"field": "value", "type": "quantitative", "title": None, "axis": {"format": ".3~g"}}
    return _panel(title, rows, [{"mark": {"type": "bar", "color": BARS}, "encoding": {"x": _layers(), "y": y}}])


def _layers() -> dict[str, Any]:
    axis = {"labelAngle": 0, "labelOverlap": True}
    return {"field": "layer", "type": "ordinal", "scale": {"paddingInner": 0.4}, "title": None, "axis": axis}


def _panel(title: str, rows: list[dict[str, Any]], layers: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "title": {"text": writable(title), "anchor": "start", "frame": "group", "fontSize": 11},
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": rows},
        "layer": layers,
    }
