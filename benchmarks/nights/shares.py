"""Shares of nights with their exact intervals, and how far nights of one baseline are alike."""

from __future__ import annotations

from typing import Any

import numpy as np

CONFIDENCE = 0.95


def share(found: int, of: int) -> dict[str, Any]:
    """A share with the two-sided 95 % interval of Clopper and Pearson (Biometrika 1934, 26:404)."""
    lower, upper = exact_interval(found, of)
    return {"found": found, "of": of, "share": found / of, "lower": lower, "upper": upper}


def exact_interval(found: float, of: float) -> tuple[float, float]:
    """Clopper and Pearson's ends by the beta distribution, which takes effective counts too."""
    from scipy.stats import beta

    tail = (1 - CONFIDENCE) / 2
    lower = float(beta.ppf(tail, found, of - found + 1)) if found > 0 else 0.0
    upper = float(beta.ppf(1 - tail, found + 1, of - found)) if found < of else 1.0
    return lower, upper


def share_in_series(alarms: Any) -> dict[str, Any]:
    """A share of nights, `alarms` [series, nights] of them: beside the plain interval the one that takes series as clusters.

    The design effect is the variance of the series' totals over that of independent nights, 1 at least; the counts are divided
    by it (Korn and Graubard, Survey Methodology 1998, 24:193).
    """
    series, nights = alarms.shape
    found, of = int(alarms.sum()), alarms.size
    rate = found / of
    between = float(np.var(alarms.sum(axis=1), ddof=1)) if series > 1 else 0.0
    alone = nights * rate * (1 - rate)
    effect = max(1.0, between / alone) if alone > 0 else 1.0
    return {
        **share(found, of),
        "design_effect": effect,
        "upper_by_series": exact_interval(found / effect, of / effect)[1],
        "series": series,
        "series_with_alarm": int(alarms.any(axis=1).sum()),
    }
