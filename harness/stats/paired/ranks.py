"""The exact distributions of Wilcoxon's two rank statistics, without ties, and where they put the ends of an interval."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np


@lru_cache(maxsize=64)
def signed_rank_chances(pairs: int) -> Any:
    """P(W ≤ w) for w = 0 … pairs·(pairs + 1)/2: each rank counts with chance 1/2 (Wilcoxon, Biometrics Bulletin 1945, 1:80)."""
    chances = np.ones(1)
    for rank in range(1, pairs + 1):
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    return np.minimum(1.0, np.cumsum(chances))


@lru_cache(maxsize=64)
def rank_sum_chances(ours: int, theirs: int) -> Any:
    """P(U ≤ u) for u = 0 … ours·theirs, each order as likely (Mann and Whitney, Annals of Mathematical Statistics 1947, 18:50).

    Their recursion: the largest of all is one of ours, above all of theirs, or one of theirs.
    """
    most = ours * theirs
    with_ours = [np.eye(1, most + 1)[0] for _ in range(theirs + 1)]  # of no trial of ours U is 0
    for a in range(1, ours + 1):
        made = [with_ours[0]]
        for b in range(1, theirs + 1):
            above = np.pad(with_ours[b], (b, 0))[: most + 1]
            made.append((a * above + b * made[-1]) / (a + b))
        with_ours = made
    return np.minimum(1.0, np.cumsum(with_ours[theirs]))


def middle_of(values: Any, chances: Any, confidence: float) -> tuple[float, float | None, float | None]:
    """The median of sorted `values` with the ends of its interval, the k-th from either side; no ends where k is 0.

    `chances` is the distribution of how many values lie on one side (Hollander and Wolfe, Nonparametric Statistical Methods,
    2nd ed., 3.3 and 4.3).
    """
    k = int(np.searchsorted(chances, (1 - confidence) / 2, side="right"))
    middle = float(np.median(values))
    return (middle, float(values[k - 1]), float(values[-k])) if k else (middle, None, None)
