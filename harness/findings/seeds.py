"""How many seeds a question needs: the power of Student's test of a mean of paired differences (noncentral t)."""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.stats import constants

MOST = 10_000
"""Seeds beyond which no number is told."""


def mean_power(n: int, shift: float, sd: float, alpha: float) -> float:
    """The chance that a one-sided test at `alpha` of n differences rejects, their true mean lying `shift` beyond the null.

    P(T > t₁₋α), T noncentral t with n − 1 degrees and noncentrality √n·shift/sd (Cohen, Statistical Power Analysis, 1988,
    ch. 2; exact for normal differences). 0 for fewer than two, 1 where differences do not vary and lie beyond.
    """
    from scipy.stats import nct, t

    if n < 2 or shift <= 0:
        return 0.0
    if sd == 0:
        return 1.0
    found = float(nct.sf(t.ppf(1 - alpha, n - 1), n - 1, math.sqrt(n) * shift / sd))
    return 1.0 if math.isnan(found) else found  # scipy's series fails far out, where nothing is left to doubt


def seeds_to_exceed(shift: float, sd: float, alpha: float, power: float = constants.POWER) -> int | None:
    """The fewest seeds by which a one-sided test at `alpha` has this power; None where MOST are too few."""
    return _fewest(lambda n: mean_power(n, shift, sd, alpha) >= power)


def seeds_to_enclose(mean: float, sd: float, margin: float, alpha: float, power: float = constants.POWER) -> int | None:
    """The fewest seeds by which both one-sided tests place a true mean within ± margin (TOST; Schuirmann 1987).

    Both reject with a chance of at least p₁ + p₂ − 1 (Bonferroni), which errs to the side of more seeds.
    """

    def chance(n: int) -> float:
        return mean_power(n, margin + mean, sd, alpha) + mean_power(n, margin - mean, sd, alpha) - 1

    return _fewest(lambda n: chance(n) >= power)


def _fewest(enough: Callable[[int], bool]) -> int | None:
    """The smallest number from 2 to MOST for which `enough` is true; it stays true from there on."""
    if not enough(MOST):
        return None
    low, high = 1, 2
    while not enough(high):
        low, high = high, min(2 * high, MOST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
