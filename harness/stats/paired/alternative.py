"""Which side of a null hypothesis a test looks at, and the p-value that follows from its two tails."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

Alternative = Literal["two-sided", "less", "greater"]
"""`less`: the candidate is worse than the null says, that is, candidate - reference lies below it."""


def p_of_tails(lower: Any, upper: Any, alternative: Alternative) -> Any:
    """The p-value, of P(as low or lower) and P(as high or higher) under the null; two-sided, twice the smaller, 1 at most.

    Numbers or arrays. A number comes back as a float.
    """
    tails = {"less": lower, "greater": upper, "two-sided": 2 * np.minimum(lower, upper)}
    if alternative not in tails:
        raise ValueError(f"no alternative {alternative!r}: one of {', '.join(tails)}")
    return plain(np.minimum(1.0, tails[alternative]))


def plain(value: Any) -> Any:
    """A float of an array without axes; any other array as it is."""
    return float(value) if np.ndim(value) == 0 else value
