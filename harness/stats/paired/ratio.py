"""How many times as fast the candidate (`ours`) is as the reference (`theirs`), above 1 where it is faster, by ranks of trials.

Trials taken in turn (ABAB) are paired with their neighbours, so that what drifts in both, as a GPU's clock does, drops out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.stats.paired.alternative import Alternative, p_of_tails, plain
from harness.stats.paired.columns import column, within
from harness.stats.paired.ranks import middle_of, rank_sum_chances, signed_rank_chances


@dataclass(frozen=True)
class PairedRatio:
    """A ratio of two models' speed, with its interval and the p-value of none but 1."""

    value: float
    lower: float | None
    """None where there are too few trials for an interval at this confidence."""
    upper: float | None
    p_value: float
    n: int
    """Pairs; of unpaired trials, ours."""


def paired_ratio(
    ours: Sequence[float],
    theirs: Sequence[float],
    higher_is_better: bool,
    confidence: float = 0.95,
    alternative: Alternative = "two-sided",
) -> PairedRatio:
    """The ratio of trials in the order in which they were taken in turn: the k-th of ours with the k-th of theirs.

    On logarithms: Hodges and Lehmann's estimate, the median of the means of any two pairs, with the interval and the exact
    p-value of Wilcoxon's signed ranks (Hollander and Wolfe, Nonparametric Statistical Methods, 2nd ed., 3.1-3.3). `less`:
    ours is slower. One trial more on one side, as ABABA leaves, is not used. Raises ValueError where counts differ by
    more, or a trial is not above 0.
    """
    within(confidence, 0, 1, "confidence")
    a, b = _logs(ours), _logs(theirs)
    if abs(len(a) - len(b)) > 1:
        raise ValueError(f"{len(a)} trials and {len(b)} were not taken in turn")
    pairs = min(len(a), len(b))
    gains = (a[:pairs] - b[:pairs]) * (1 if higher_is_better else -1)
    first, second = np.triu_indices(pairs)
    walsh = np.sort((gains[first] + gains[second]) / 2)
    value, lower, upper = middle_of(walsh, signed_rank_chances(pairs), confidence)
    p = p_of_tails(slowdown_p(gains), slowdown_p(-gains), alternative)
    return PairedRatio(_exp(value), _exp(lower), _exp(upper), p, pairs)


def slowdown_p(log_ratios: Any, null: float = 0.0) -> Any:
    """The exact p-value that ours is no slower than exp(`null`) of theirs, of log ratios [..., pairs]: Wilcoxon's signed ranks.

    Small where the log ratios lie below `null`. Over all leading axes at once; [pairs] gives a float. Equal distances from
    `null` are ranked against a slow-down, and one of 0 counts as a gain: with ties the p-value errs on the large side.
    """
    beyond = np.asarray(log_ratios, dtype=float) - null
    if not beyond.ndim or not beyond.shape[-1] or not np.isfinite(beyond).all():
        raise ValueError("log ratios: finite numbers are needed, one pair or more")
    gained = beyond >= 0
    order = np.lexsort((gained, np.abs(beyond)), axis=-1)
    pairs = beyond.shape[-1]
    rank_sum = np.take_along_axis(gained, order, axis=-1) @ np.arange(1, pairs + 1)
    return plain(signed_rank_chances(pairs)[rank_sum])


def fewest_pairs(alpha: float) -> int:
    """The fewest pairs whose one-sided p-value can reach `alpha`: all point one way, 2^-pairs. Two-sided: that of alpha/2."""
    within(alpha, 0, 1, "alpha")
    pairs = 1
    while 2.0**-pairs > alpha:
        pairs += 1
    return pairs


def unpaired_ratio(
    ours: Sequence[float],
    theirs: Sequence[float],
    higher_is_better: bool,
    confidence: float = 0.95,
    alternative: Alternative = "two-sided",
) -> PairedRatio:
    """The ratio of trials that were not taken in turn, such as files that others measured: what drifted between them counts.

    Hodges and Lehmann's estimate, the median of all ratios of one of ours and one of theirs, with the interval and the
    exact p-value of Mann and Whitney's U (Hollander and Wolfe, 4.1-4.3). Ties are counted against what is tested, so that the
    p-value errs on the large side. Raises ValueError for a trial that is not above 0.
    """
    within(confidence, 0, 1, "confidence")
    sign = 1 if higher_is_better else -1
    a, b = sign * _logs(ours), sign * _logs(theirs)
    gains = np.sort((a[:, None] - b[None, :]).ravel())
    chances = rank_sum_chances(len(a), len(b))
    value, lower, upper = middle_of(gains, chances, confidence)
    p = p_of_tails(chances[(gains >= 0).sum()], chances[(gains <= 0).sum()], alternative)
    return PairedRatio(_exp(value), _exp(lower), _exp(upper), p, len(a))


def _logs(trials: Sequence[float]) -> Any:
    made = column(trials, "trials")
    if made.min() <= 0:
        raise ValueError("a trial took no time")
    return np.log(made)


def _exp(value: float | None) -> Any:
    return None if value is None else float(np.exp(value))
