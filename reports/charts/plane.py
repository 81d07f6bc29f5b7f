"""The plane of one panel: where a number lies in pixels, and which round numbers its axes show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """One axis: its ends in numbers and in pixels, on a log scale or a plain one."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def pixel(self, value: float) -> float:
        """Where a number lies; beyond the ends it is drawn at the end."""
        inside = min(max(value, self.low), self.high)
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, inside))
        return round(self.start + (self.end - self.start) * (at - low) / (high - low), 2)

    def ticks(self) -> list[float]:
        """Three to eight round numbers between the ends."""
        return _log_ticks(self.low, self.high) if self.log else _plain_ticks(self.low, self.high)


def log_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """From somewhat below the lowest to somewhat above the highest of the values, all above 0."""
    low, high = min(values), max(values)
    spare = max((high / low) ** 0.08, 1.06)
    return Axis(low / spare, high * spare, start, end, log=True)


def plain_axis(values: Sequence[float], ends: Sequence[float], start: float, end: float) -> Axis:
    """As `log_axis`; ends of intervals count too, as far as they are not much further out than the values."""
    low, high = min(values), max(values)
    spare = 0.12 * (high - low) or 0.05 * abs(high) or 0.05
    least, most = max(min([low, *ends]), low - 2 * spare), min(max([high, *ends]), high + 2 * spare)
    return Axis(least - spare / 2, most + spare / 2, start, end)


def tick_text(value: float) -> str:
    """A tick's label: 0.65, 12.5, 300, 2k."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, and between them as many multiples as it takes to have three."""
    tens = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    inside: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), tuple(1 + k / 10 for k in range(90))):
        found = [float(f"{step * 10.0**ten:.6g}") for ten in tens for step in steps]
        inside = [value for value in found if low <= value <= high]
        if len(inside) >= 3:
            break
    return inside if len(inside) <= 8 else inside[:: math.ceil(len(inside) / 6)]


def _plain_ticks(low: float, high: float) -> list[float]:
    raw = (high - low) / 5
    ten = 10.0 ** math.floor(math.log10(raw))
    step = next(ten * times for times in (1, 2, 2.5, 5, 10) if ten * times >= raw)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{step * at:.6g}") for at in range(first, last + 1)]
