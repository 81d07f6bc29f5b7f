"""Importance a layer as one SVG: how the scores of each axis spread inside every layer, and what each layer costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from zoo.prune.scores import Scores

WIDTH, HEIGHT, LEFT, TOP = 720, 150, 70, 28
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
TITLES = {
    "heads": "Attention heads",
    "ffn": "MLP neurons",
    "hidden.0": "Hidden channels, norm before attention",
    "hidden.1": "Hidden channels, norm before the MLP",
}
DEPTH = {"bi": "Block Influence", "ppl": "Perplexity rise", "task": "Downstream drop"}


def plot_scores(scores: Scores) -> str:
    """The SVG: a panel an axis (band from lowest to highest unit, box of the middle half, line at the median; log
    scale), and a panel of bars a depth measure. Names are escaped; the picture says on what data it was measured."""
    panels: list[tuple[str, NDArray[np.float64], bool]] = []
    for name, values in sorted(scores.arrays.items()):
        if name == "hidden":
            panels += [(TITLES[f"hidden.{i}"], values[:, i], True) for i in range(values.shape[1])]
        elif name in TITLES:
            panels.append((TITLES[name], values, True))
        else:
            kind, _, length = name.partition(".")
            blocks = "one layer" if length == "1" else f"{length} layers from here"
            panels.append((f"{DEPTH.get(kind, kind)} without {blocks}", values, False))
    height = len(panels) * (HEIGHT + TOP + 22) + 30
    told = scores.provenance
    caption = f"{told.get('parent', 'unknown parent')} on {told.get('calibration', 'no data')}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + LEFT + 20} {height}" font-family="sans-serif" '
        f'font-size="11" role="img" aria-label="Importance a layer, {escape(caption, quote=True)}">',
        f'<rect width="100%" height="100%" fill="#fff"/><text x="{LEFT}" y="16" font-size="13">{escape(caption)}</text>',
    ]
    for at, (title, values, spread) in enumerate(panels):
        lines.append(f'<g transform="translate({LEFT},{30 + at * (HEIGHT + TOP + 22) + TOP})">')
        lines.append(f'<text x="0" y="-8" font-weight="bold">{escape(title)}</text>')
        lines.extend(_spread(values) if spread else _bars(values))
        lines.append("</g>")
    return "\n".join([*lines, "</svg>"]) + "\n"


def _spread(values: NDArray[np.float64]) -> Iterator[str]:
    quantiles = np.quantile(values, QUANTILES, axis=1)
    floor = max(float(quantiles.max()) * 1e-6, 1e-12)
    marks = np.log10(np.maximum(quantiles, floor))
    low, high = float(marks.min()), float(max(marks.max(), marks.min() + 1e-9))
    y = HEIGHT - (marks - low) / (high - low) * HEIGHT
    yield from _frame(values.shape[0], f"{10**low:.3g}", f"{10**high:.3g}")
    step = WIDTH / values.shape[0]
    for layer in range(values.shape[0]):
        x, wide = layer * step + step * 0.2, step * 0.6
        low_, q1, median, q3, top = (float(v) for v in y[:, layer])
        yield f'<rect x="{x:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{low_ - top:.1f}" fill="#cfe3f5"/>'
        yield f'<rect x="{x:.1f}" y="{q3:.1f}" width="{wide:.1f}" height="{q1 - q3:.1f}" fill="#6ba3d6"/>'
        yield f'<path d="M{x:.1f} {median:.1f}h{wide:.1f}" stroke="#123" stroke-width="1.5"/>'


def _bars(values: NDArray[np.float64]) -> Iterator[str]:
    low, high = min(0.0, float(values.min())), max(float(values.max()), 1e-12)
    yield from _frame(len(values), f"{low:.3g}", f"{high:.3g}")
    step, zero = WIDTH / len(values), HEIGHT * high / (high - low)
    for layer, value in enumerate(values.tolist()):
        y = HEIGHT * (high - value) / (high - low)
        yield (
            f'<rect x="{layer * step + step * 0.2:.1f}" y="{min(y, zero):.1f}" width="{step * 0.6:.1f}" '
            f'height="{abs(zero - y):.1f}" fill="#d98b4a"/>'
        )


def _frame(layers: int, low: str, high: str) -> Sequence[str]:
    every = max(1, layers // 16)
    step = WIDTH / layers
    ticks = [
        f'<text x="{(i + 0.5) * step:.1f}" y="{HEIGHT + 13}" text-anchor="middle">{i}</text>'
        for i in range(0, layers, every)
    ]
    return [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>',
        f'<text x="-6" y="10" text-anchor="end">{high}</text>',
        f'<text x="-6" y="{HEIGHT}" text-anchor="end">{low}</text>',
        *ticks,
    ]
