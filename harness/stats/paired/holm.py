"""p-values of several tests, adjusted so that one false alarm among all of them is as rare as a single test's."""

from __future__ import annotations

import math
from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """The adjusted p-values, in the order of the given ones (Holm, Scandinavian Journal of Statistics 1979, 6:65).

    The k-th smallest of m is multiplied by m - k + 1; none falls below one before it or rises above 1. It holds whatever
    the tests have to do with one another. Raises ValueError for what is not a p-value.
    """
    if not all(0 <= p <= 1 for p in p_values):  # NaN is in no range
        raise ValueError("a p-value does not lie between 0 and 1")
    adjusted = [math.nan] * len(p_values)
    reached = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = reached
    return adjusted
