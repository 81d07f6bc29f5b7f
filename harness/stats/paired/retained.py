"""How much of the reference's accuracy above chance a candidate keeps."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.stats.paired.columns import column, weight_column, within
from harness.stats.paired.real import unit_residuals

ROUNDING = 1e-9
"""Relative: a reference that is above chance by its error and no more than this is not above it."""


@dataclass(frozen=True)
class Retained:
    """(candidate - chance)/(reference - chance), as a share: 1 is all of it."""

    value: float | None
    """None where the reference is not above chance."""
    lower: float | None
    """None, as `upper`, where the reference is not above chance by more than its own error, so that any share would do."""
    upper: float | None
    raw: float | None
    """candidate/reference, without chance; None where the reference has none right."""


def retained(
    reference: Any,
    candidate: Any,
    chance: float,
    clusters: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
    confidence: float = 0.95,
) -> Retained:
    """The share retained by the same documents' values of both, with Fieller's interval.

    The shares θ for which the mean of (candidate - chance) - θ·(reference - chance) is not told from 0 by its cluster-robust
    t (Fieller, JRSS B 1954, 16:175): the ends of a quadratic. Clusters and weights as in `paired_mean`. Raises
    ValueError for columns of two lengths.
    """
    from scipy.special import stdtrit

    within(confidence, 0, 1, "confidence")
    a, b = column(reference, "reference"), column(candidate, "candidate")
    if len(a) != len(b):
        raise ValueError(f"{len(a)} documents of the reference and {len(b)} of the candidate")
    share = weight_column(weights, len(a))
    mean_a, of_a, units = unit_residuals(a, clusters, share)
    mean_b, of_b, _ = unit_residuals(b, clusters, share)
    above, kept = mean_a - chance, mean_b - chance
    raw = mean_b / mean_a if mean_a > 0 else None
    if above <= 0:
        return Retained(None, None, None, raw)
    if units < 2:
        return Retained(kept / above, None, None, raw)
    factor = float(stdtrit(units - 1, 0.5 + confidence / 2)) ** 2 * units / (units - 1)
    square = above**2 - factor * float(np.dot(of_a, of_a))
    if square <= ROUNDING * above**2:
        return Retained(kept / above, None, None, raw)
    half = above * kept - factor * float(np.dot(of_a, of_b))
    rest = kept**2 - factor * float(np.dot(of_b, of_b))
    root = math.sqrt(max(0.0, half**2 - square * rest))
    return Retained(kept / above, (half - root) / square, (half + root) / square, raw)
