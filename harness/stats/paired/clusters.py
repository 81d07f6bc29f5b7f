"""Documents that share a unit (a passage, a video): their sums, and an exact sign test of whole-number sums."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from harness.stats.paired.alternative import Alternative, p_of_tails
from harness.stats.paired.columns import column


def unit_numbers(clusters: Sequence[Hashable] | None, n: int) -> Any:
    """The number of each document's unit, 0 …; int64 [n]. A document without a cluster (None) is a unit of its own."""
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} clusters of {n} documents")
    seen: dict[Hashable, int] = {}
    keys = (("alone", place) if name is None else ("in", name) for place, name in enumerate(clusters))
    return np.fromiter((seen.setdefault(key, len(seen)) for key in keys), dtype=np.int64, count=n)


def unit_sums(values: Any, clusters: Sequence[Hashable] | None) -> Any:
    """The sum of each unit's values, in the order in which the units appear; float64."""
    made = column(values, "values")
    return np.bincount(unit_numbers(clusters, len(made)), weights=made)


def clustered_sign_test(sums: Any, alternative: Alternative = "two-sided") -> float:
    """The exact p-value of no difference, of each cluster's whole-number sum of candidate - reference.

    Under the hypothesis each sum is as likely to have the other sign (Fisher, The Design of Experiments, 1935, section 21, on
    clusters in place of plants). The positive part, Y = Σ |s|·(0 or 1), has its distribution by convolution: m clusters of
    the same |s| add |s|·Binomial(m, 1/2). All sums ±1, this is McNemar's test; sums of 0 tell nothing, and no others give 1.
    Raises ValueError for sums that are not whole.
    """
    from scipy.stats import binom

    made = column(sums, "sums")
    if (made != np.round(made)).any():
        raise ValueError("sums of clusters are not whole numbers")
    whole = made.astype(np.int64)
    chances = np.ones(1)
    for size, many in zip(*np.unique(np.abs(whole[whole != 0]), return_counts=True), strict=True):
        of_size = np.zeros(size * many + 1)
        of_size[::size] = binom.pmf(np.arange(many + 1), many, 0.5)
        chances = np.convolve(chances, of_size)
    positive = int(whole[whole > 0].sum())
    return p_of_tails(chances[: positive + 1].sum(), chances[positive:].sum(), alternative)
