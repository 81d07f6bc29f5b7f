"""Where a series of nights changed: E-divisive's split, Student's test, two passes as in Hunter and its successor Otava.

A split is where the energy statistic of Székely and Rizzo, as E-divisive uses it (Matteson and James, JASA 109, 2014), is
largest. Departures: its within terms divide by n² and not by n(n-1), for only so is a split next to the end no likelier than
one in the middle where nothing changed, and a change must be seen on its first night; whether a split counts is told by
Student's pooled test and not by permutations, of which no number reaches a small p with one night on one side. The p-value
takes the place of the split as given, and is too small for that: its threshold is calibrated, by
benchmarks/history_calibration.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

SIGNIFICANCE = 0.001
WEAK = 10.0
"""By how many times the threshold of the first pass is larger: what lies beside another change is told only between both."""
WINDOW = 50
"""Values that are looked at together; windows overlap by half."""
FEWEST = 3
"""Values that can hold a change."""


@dataclass(frozen=True)
class Shift:
    """A change of level. `at` is the first index after it."""

    at: int
    before: float
    """Mean of the stretch before."""
    after: float
    p_value: float
    n_before: int
    n_after: int


def change_points(values: Sequence[float], significance: float = SIGNIFICANCE) -> list[Shift]:
    """The changes of a series in order of time, oldest first; values are finite."""
    series = np.asarray(values, dtype=float)
    found: set[int] = set()
    for start in range(0, max(len(series) - WINDOW // 2, 1), WINDOW // 2):
        _divide(series, start, min(start + WINDOW, len(series)), min(WEAK * significance, 0.5), found)
    return _pruned(series, sorted(found), significance)


def stretches(values: Sequence[float], significance: float = SIGNIFICANCE) -> list[range]:
    """The indices of each stretch between two changes, oldest first; one where nothing changed, none of no values."""
    ends = [0, *(shift.at for shift in change_points(values, significance)), len(values)]
    return [range(a, b) for a, b in pairwise(ends) if b > a]


def shift_p(before: Sequence[float], after: Sequence[float]) -> float:
    """Student's two-sided p, spreads pooled; 1 for fewer than FEWEST values in all. Constant sides differ for sure, or not."""
    from scipy.special import stdtr

    a, b = (np.asarray(side, dtype=float) for side in (before, after))
    freedom = len(a) + len(b) - 2
    if not len(a) or not len(b) or freedom < FEWEST - 2:
        return 1.0
    difference = abs(float(a.mean() - b.mean()))
    squares = float(((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum())
    error = math.sqrt(squares / freedom * (1 / len(a) + 1 / len(b)))
    if error <= 1e-12 * max(abs(float(a.mean())), abs(float(b.mean())), 1e-300):
        return 0.0 if difference > error else 1.0
    return float(2 * stdtr(freedom, -difference / error))


def best_split(values: Any) -> int:
    """The first index of the second part, where the energy statistic mn/(m+n) · (2E|x-y| - E|x-x'| - E|y-y'|) is largest."""
    n = len(values)
    sums = np.zeros((n + 1, n + 1))
    sums[1:, 1:] = np.abs(values[:, None] - values[None, :]).cumsum(0).cumsum(1)
    left = np.arange(1, n)
    within_left, both = np.diagonal(sums)[1:n], sums[1:n, n]
    within_right = sums[n, n] - 2 * both + within_left
    right = n - left
    energy = 2 * (both - within_left) / (left * right) - within_left / left**2 - within_right / right**2
    return int(left[np.argmax(left * right / n * energy)])


def _divide(series: Any, start: int, end: int, weak: float, found: set[int], hidden: bool = False) -> bool:
    """Add the splits of series[start:end] that pass the weak threshold, and those inside their parts; whether there were any.

    A dip between two longer stretches hides from the first split, so the parts of a split that fails are looked into as well,
    once (`hidden`); it counts where they have any.
    """
    if end - start < FEWEST:
        return False
    at = start + best_split(series[start:end])
    passes = shift_p(series[start:at], series[at:end]) <= weak
    if not passes and hidden:
        return False
    inside = [_divide(series, *part, weak, found, not passes) for part in ((start, at), (at, end))]
    if passes or any(inside):
        found.add(at)
    return passes or any(inside)


def _pruned(series: Any, places: list[int], significance: float) -> list[Shift]:
    """The least sure change is taken away, and its neighbours told anew, until all pass."""
    kept = list(places)
    while True:
        ends = [0, *kept, len(series)]
        shifts = [_shift(series, *ends[place : place + 3]) for place in range(len(kept))]
        worst = max(shifts, key=lambda shift: shift.p_value, default=None)
        if worst is None or worst.p_value <= significance:
            return shifts
        kept.remove(worst.at)


def _shift(series: Any, start: int, at: int, end: int) -> Shift:
    before, after = series[max(start, at - WINDOW) : at], series[at : min(end, at + WINDOW)]
    return Shift(at, float(before.mean()), float(after.mean()), shift_p(before, after), len(before), len(after))
