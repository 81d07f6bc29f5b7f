"""How much of what one change cost another won back, over the same documents: a ratio of two paired differences."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.stats.paired.columns import column, weight_column, within
from harness.stats.paired.real import unit_residuals
from harness.stats.paired.retained import ROUNDING

ALIKE = 1e-6
"""Relative: an interval so narrow is the rounding of a root, and every document tells the same share."""


@dataclass(frozen=True)
class Recovered:
    """(restored - cut)/(whole - cut), as a share: 1 is all of the loss, 0 none of it; it may lie beyond both."""

    value: float
    lower: float | None
    upper: float | None
    """Ends of its interval; None where every document tells the same share, so that nothing says how others would differ."""
    units: int


def recovered(
    whole: Any,
    cut: Any,
    restored: Any,
    clusters: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
    confidence: float = 0.95,
    unit_interval: bool = False,
) -> Recovered | None:
    """The share of the loss `whole` - `cut` that `restored` - `cut` is, with Fieller's interval; None where the loss is not
    told from 0 by this, for then any share would do.

    The columns are the same documents' values [documents], more being better. The interval has the shares θ for which the mean
    of (restored - cut) - θ·(whole - cut) is not told from 0 by its cluster-robust t (Fieller, JRSS B 1954, 16:175): bounded
    where the loss itself is told from 0 at that confidence, else it would be the whole line or two half-lines. What does not
    vary with the model, as chance, drops out. Of values between 0 and 1 (`unit_interval`) it reaches as far at least as what so
    many units could leave unseen, as `mean_interval` does: a t of documents that all came out alike is too sure. Clusters and
    weights as in `paired_mean`. Raises ValueError for columns of different lengths.
    """
    within(confidence, 0, 1, "confidence")
    top, low, back = column(whole, "whole"), column(cut, "cut"), column(restored, "restored")
    if not len(top) == len(low) == len(back):
        raise ValueError(f"{len(top)}, {len(low)} and {len(back)} documents are not the same ones")
    share = weight_column(weights, len(top))
    loss, of_loss, units = unit_residuals(top - low, clusters, share)
    gain, of_gain, _ = unit_residuals(back - low, clusters, share)
    if units < 2 or loss <= 0:
        return None
    ends = _fieller(loss, gain, of_loss, of_gain, units, confidence)
    if ends is None:
        return None
    if unit_interval:
        unseen = _unseen(loss, gain, units, confidence)
        if unseen is None:
            return None
        return Recovered(gain / loss, min(ends[0], unseen[0]), max(ends[1], unseen[1]), units)
    if ends[1] - ends[0] <= ALIKE * max(1.0, abs(gain / loss)):
        return Recovered(gain / loss, None, None, units)
    return Recovered(gain / loss, *ends, units)


def _fieller(
    loss: float, gain: float, of_loss: Any, of_gain: Any, units: int, confidence: float
) -> tuple[float, float] | None:
    """The roots of square·θ² - 2·half·θ + rest; None where square is not above 0: the loss is within its own error."""
    from scipy.special import stdtrit

    factor = float(stdtrit(units - 1, 0.5 + confidence / 2)) ** 2 * units / (units - 1)
    square = loss**2 - factor * float(np.dot(of_loss, of_loss))
    if square <= ROUNDING * loss**2:
        return None
    half = loss * gain - factor * float(np.dot(of_loss, of_gain))
    rest = gain**2 - factor * float(np.dot(of_gain, of_gain))
    root = math.sqrt(max(0.0, half**2 - square * rest))
    return (half - root) / square, (half + root) / square


def _unseen(loss: float, gain: float, units: int, confidence: float) -> tuple[float, float] | None:
    """The shares θ that so many units could miss: |gain - θ·loss| ≤ room·R(θ), R = max(1, θ, 1 - θ) being how far a
    document's own (restored - cut) - θ·(whole - cut) can lie from 0 where each value lies between 0 and 1.

    With u = 1 - ((1 - confidence)/2)^(1/units) a mean may lie (|mean| + R)·u from what was seen (`real.unseen_chance`), so
    room is u/(1 - u). R is the largest of three straight lines: each end is the farthest of where one meets |gain - θ·loss|.
    """
    unseen = 1 - ((1 - confidence) / 2) ** (1 / units)
    room = unseen / (1 - unseen)
    if loss <= room:
        return None
    lower = min((gain - room) / loss, gain / (loss + room), (gain - room) / (loss - room))
    upper = max((gain + room) / loss, gain / (loss - room), (gain + room) / (loss + room))
    return lower, upper
