"""Right or wrong where documents share units: Tango's statistic at the effective number of documents.

Where few documents change, a mean's t is too sure: of a hundred documents without a change its error is 0. Tango's statistic
takes its variance under the hypothesis instead, and keeps that here.
"""

from __future__ import annotations

import numpy as np

from harness.stats.paired.alternative import Alternative, p_of_tails
from harness.stats.paired.binary import accepted_differences, score
from harness.stats.paired.columns import column, within
from harness.stats.paired.real import PairedMean


def effective_documents(differences: object, mean: PairedMean) -> float:
    """How many independent documents would give the clustered error of `mean`: (share changed - mean²)/stderr², at most all.

    The design effect of Korn and Graubard (Survey Methodology 1998, 24:193), as for a score's own interval. Where the error is
    0 or None it is the number of units. `differences` are those of `mean`: -1, 0 or 1. Raises ValueError for others.
    """
    listed = column(differences, "differences")
    if not np.isin(listed, (-1, 0, 1)).all():
        raise ValueError("differences of right and wrong are -1, 0 or 1")
    spread = float((listed**2).mean()) - mean.value**2
    if not mean.stderr or spread <= 0:
        return float(mean.units)
    return min(float(len(listed)), spread / mean.stderr**2)


def clustered_difference_p(
    differences: object, mean: PairedMean, null: float = 0.0, alternative: Alternative = "two-sided"
) -> float:
    """`difference_p` of documents in units: `mean` is their `paired_mean` with clusters, without weights. By t(units - 1).

    A single unit tells nothing: 1/2 on its side, 1 two-sided. Raises ValueError for a null beyond ±1.
    """
    from scipy.special import stdtr

    if not abs(null) <= 1:
        raise ValueError("a difference of two shares does not lie beyond -1 and 1")
    size = effective_documents(differences, mean)
    lost, gained = _changed(differences, size)
    z = float(score(lost, gained, size, null))
    if mean.freedom < 1:
        return p_of_tails(0.5 if z < 0 else 1.0, 0.5 if z > 0 else 1.0, alternative)
    return p_of_tails(stdtr(mean.freedom, z), stdtr(mean.freedom, -z), alternative)


def clustered_difference_interval(
    differences: object, mean: PairedMean, confidence: float
) -> tuple[float | None, float | None]:
    """The differences that `clustered_difference_p` does not reject, within [-1, 1]; (None, None) of a single unit."""
    from scipy.special import stdtrit

    within(confidence, 0, 1, "confidence")
    size = effective_documents(differences, mean)
    if mean.freedom < 1:
        return None, None
    quantile = float(stdtrit(mean.freedom, 0.5 + confidence / 2))
    return accepted_differences(*_changed(differences, size), size, quantile)


def _changed(differences: object, size: float) -> tuple[float, float]:
    """Documents lost and gained, of `size`."""
    listed = column(differences, "differences")
    return float((listed < 0).mean() * size), float((listed > 0).mean() * size)
