"""What a run of a given size can show, before it is run."""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.stats import constants


def detectable_difference(n: int, share: float = 0.5) -> float | None:
    """The smallest true difference of two shares that two runs of `n` items each would show (two-sided, 80 % power).

    (z₀.₉₇₅ + z₀.₈)·√(2·p(1−p)/n), for runs on different documents or compared as if they were; a comparison paired by
    document sees less. `share` 0.5 is the worst case, and p(1−p) bounds the variance of any metric between 0 and 1
    (Bhatia and Davis 2000). None for n = 0.
    """
    if n == 0:
        return None
    return (constants.Z + NormalDist().inv_cdf(constants.POWER)) * math.sqrt(2 * share * (1 - share) / n)
