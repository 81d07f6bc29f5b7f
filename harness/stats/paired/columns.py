"""What the tests take in: columns of finite numbers of one length, and counts. Anything else is refused."""

from __future__ import annotations

from typing import Any

import numpy as np


def column(values: Any, what: str) -> Any:
    """`values` as a float64 array. ValueError where it is empty, has several axes or holds what is not finite."""
    made = np.asarray(values, dtype=float)
    if made.ndim != 1 or not made.size:
        raise ValueError(f"{what}: a column of one number or more is needed, not one of shape {made.shape}")
    if not np.isfinite(made).all():
        raise ValueError(f"{what}: not every number is finite")
    return made


def weight_column(weights: Any, n: int) -> Any:
    """`weights` scaled to a sum of 1; equal ones for None. ValueError for other lengths, a negative one or nothing but 0."""
    if weights is None:
        return np.full(n, 1 / n)
    made = column(weights, "weights")
    if len(made) != n or made.min() < 0 or made.sum() <= 0:
        raise ValueError(f"weights: {n} numbers of 0 or more are needed, not all 0")
    return made / made.sum()


def counts(*values: Any) -> tuple[Any, ...]:
    """Numbers or arrays as float64 arrays without axes or with. ValueError for what is not a whole number of 0 or more."""
    made = tuple(np.asarray(value, dtype=float) for value in values)
    for value in made:
        if not (np.isfinite(value).all() and (value >= 0).all() and (value == np.floor(value)).all()):
            raise ValueError("a count is not a whole number of 0 or more")
    return made


def within(value: float, low: float, high: float, what: str) -> None:
    """ValueError unless low < value < high."""
    if not low < value < high:
        raise ValueError(f"{what} {value} does not lie between {low} and {high}")
