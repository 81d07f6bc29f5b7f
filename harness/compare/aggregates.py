"""How a metric's number comes of its documents: a mean, or a function of log-likelihoods over weights.

Not looked up by name but found by the numbers themselves: a way of aggregating is believed where it gives the recorded score.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.compare.items import Items

SAME = 1e-6
"""Relative and absolute: lm-eval adds the values of a mean one by one, some of single precision."""


@dataclass(frozen=True)
class Aggregate:
    """A way from documents to a number, by a weighted mean of what each document gives."""

    name: str
    of: str
    """What the mean is of, in words for a test's name."""
    number: Callable[[float], float]
    """Weighted mean → the metric's number."""
    is_ratio: bool = False
    """Whether two numbers differ by the factor `number` makes of the difference of their means."""
    likelihood: bool = False
    """Whether the mean is of log-likelihoods, of which more is better, whatever the number's own direction."""


MEAN = Aggregate("mean", "", lambda mean: mean)
PERPLEXITY = Aggregate("perplexity", "log-likelihood", lambda mean: math.exp(min(-mean, 700.0)), True, True)
BITS = Aggregate("bits", "log-likelihood", lambda mean: -mean / math.log(2), likelihood=True)
WAYS = (MEAN, PERPLEXITY, BITS)


def aggregate_of(items: Items, value: float | None) -> Aggregate | None:
    """The way by which these documents give the recorded `value`; None where none of `WAYS` does."""
    if value is None:
        return None
    has_weights = is_weighted(items)
    for way in WAYS:
        if has_weights and not way.likelihood:
            continue
        mean = weighted_mean(*terms(items, has_weights))
        if mean is not None and math.isclose(way.number(mean), value, rel_tol=SAME, abs_tol=SAME):
            return way
    return None


def is_weighted(items: Items) -> bool:
    """Whether the documents' values are (log-likelihood, weight) pairs."""
    import numpy as np

    return bool(len(items) and np.isfinite(items.weight).all())


def terms(items: Items, has_weights: bool) -> tuple[Any, Any]:
    """Each document's term of the weighted mean and its weight: log-likelihood a unit of weight, or the value, weight 1."""
    import numpy as np

    if has_weights:
        return items.value / items.weight, items.weight
    return items.value, np.ones(len(items))


def weighted_mean(values: Any, weights: Any) -> float | None:
    """Over the documents that have a value, as lm-eval's nanmean; None where none has."""
    import numpy as np

    there = np.isfinite(values)
    total = weights[there].sum()
    return float((values[there] * weights[there]).sum() / total) if total > 0 else None
