"""Two runs that judged the same documents right or wrong: is the candidate worse, and by how much?

`lost` documents the reference has right and the candidate wrong, `gained` the reverse, `n` all of them. A difference is
candidate minus reference, (gained - lost) / n. Documents are taken as independent; where they share clusters, see `clusters`
and `real`.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from harness.stats.paired.alternative import Alternative, p_of_tails, plain
from harness.stats.paired.columns import counts, within

STEP = 1e-12
"""How near the ends of an interval are searched for."""


def mcnemar(lost: Any, gained: Any, alternative: Alternative = "two-sided") -> Any:
    """The exact p-value of no difference: each changed document is lost or gained with chance 1/2.

    McNemar, Psychometrika 1947, 12:153, with the binomial distribution in place of its normal approximation. Numbers or arrays.
    Without a changed document it is 1.
    """
    from scipy.stats import binom

    lost, gained = counts(lost, gained)
    changed = lost + gained
    return p_of_tails(binom.cdf(gained, changed, 0.5), binom.cdf(lost, changed, 0.5), alternative)


def difference_z(lost: Any, gained: Any, n: Any, null: Any = 0.0) -> Any:
    """Tango's score statistic of the hypothesis that the difference is `null`; negative where the candidate is worse than that.

    z = (gained - lost - n·null) / √(n·(2q + null·(1 - null))), q the share of lost documents that is most likely under the
    hypothesis (Tango, Statistics in Medicine 1998, 17:891, eqs. 24-26). At null 0 it is (gained - lost)/√(gained + lost).
    Numbers or arrays. Where the hypothesis leaves no room for chance (no document changed at null 0; null ±1) it is 0 if the
    documents agree with it, else infinite. Raises ValueError for a null beyond ±1 and for more changed documents than n.
    """
    lost, gained, n = _outcome(lost, gained, n)
    null = np.asarray(null, dtype=float)
    if not (np.abs(null) <= 1).all():
        raise ValueError("a difference of two shares does not lie beyond -1 and 1")
    return plain(score(lost, gained, n, null))


def _outcome(lost: Any, gained: Any, n: Any) -> tuple[Any, ...]:
    lost, gained, n = counts(lost, gained, n)
    if not ((lost + gained <= n) & (n > 0)).all():
        raise ValueError("more documents changed than there are, or there are none")
    return lost, gained, n


def score(lost: Any, gained: Any, n: Any, null: Any) -> Any:
    """`difference_z` without its questions: any numbers of documents, effective ones too."""
    beyond = gained - lost - n * null
    variance = 2 * most_likely_lost(lost, gained, n, null) + null * (1 - null)
    least = np.abs(null) * (
        1 - np.abs(null)
    )  # where no more changed than the hypothesis asks for; rounding may go below it
    with np.errstate(divide="ignore", invalid="ignore"):
        z = beyond / np.sqrt(n * np.maximum(variance, least))
    return np.where(beyond == 0, 0.0, z)


def most_likely_lost(lost: Any, gained: Any, n: Any, null: Any) -> Any:
    """The share of lost documents that maximises the likelihood where gained - lost is `null` as shares (Tango, eq. 25).

    The larger root of 2n·q² + b·q + c; for b > 0 in the form that does not subtract what is nearly equal.
    """
    b = (2 * n - gained + lost) * null - lost - gained
    c = -lost * null * (1 - null)
    root = np.where(c == 0, np.abs(b), np.sqrt(np.maximum(b * b - 8 * n * c, 0.0)))  # b² may be too small for a float
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b > 0, -2 * c / (b + root), (root - b) / (4 * n))


def difference_p(lost: Any, gained: Any, n: Any, null: Any = 0.0, alternative: Alternative = "two-sided") -> Any:
    """The p-value of `difference_z`, normal. `less`: H0 is a difference of `null` or more. Numbers or arrays."""
    from scipy.special import ndtr

    z = np.asarray(difference_z(lost, gained, n, null))
    return p_of_tails(ndtr(z), ndtr(-z), alternative)


def difference_interval(lost: int, gained: int, n: int, confidence: float) -> tuple[float, float]:
    """The differences that `difference_z` does not reject, two-sided: Tango's interval, within [-1, 1].

    It has a width where no document changed: ± z²/(n + z²).
    """
    within(confidence, 0, 1, "confidence")
    _outcome(lost, gained, n)
    return accepted_differences(lost, gained, n, NormalDist().inv_cdf(0.5 + confidence / 2))


def accepted_differences(lost: float, gained: float, n: float, quantile: float) -> tuple[float, float]:
    """The ends between which the score statistic stays within ± `quantile`. Numbers of documents may be effective ones."""
    from scipy.optimize import bisect

    value = (gained - lost) / n

    def end(limit: float, sign: float) -> float:
        def too_far(null: float) -> float:
            return sign * float(score(lost, gained, n, null)) - quantile

        if too_far(limit) <= 0:
            return limit
        found: Any = bisect(too_far, limit, value, xtol=STEP)
        return float(found)

    return end(-1.0, 1.0), end(1.0, -1.0)
