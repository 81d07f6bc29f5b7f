"""The error of any aggregate, by resampling its documents with replacement (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.stats import constants
from harness.stats.estimate import Estimate
from harness.stats.sufficient import ResampledStatistics

QUANTILES = (0.005, 0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975, 0.995)
"""Kept of the replicates: the ends of intervals at 99, 95, 90 and 50 %, and the median."""


def resampled_statistics(
    items: Sequence[Any], aggregate: Callable[[Sequence[Any]], float], replicates: int, unit_interval: bool
) -> ResampledStatistics | None:
    """The spread of `replicates` resamplings of the documents; None for one document, or where every replicate is the same.

    scipy's bootstrap resamples the documents' positions, for an item may be anything that lm-eval aggregates.
    """
    import numpy as np
    from scipy.stats import bootstrap

    if len(items) < 2:
        return None

    def of_positions(positions: Any) -> float:
        return float(aggregate([items[i] for i in positions]))

    found: Any = bootstrap(
        (np.arange(len(items)),), of_positions, vectorized=False, n_resamples=replicates, method="percentile",
        rng=np.random.default_rng(constants.SEED),
    )  # fmt: skip
    made = found.bootstrap_distribution
    if not np.isfinite(made).all() or made.std() == 0:
        return None
    return ResampledStatistics(
        stderr=float(made.std(ddof=1)),
        quantiles=tuple((p, float(np.quantile(made, p))) for p in QUANTILES),
        replicates=replicates,
        seed=constants.SEED,
        unit_interval=unit_interval,
    )


def resampled_estimate(value: float, known: ResampledStatistics) -> Estimate:
    """stderr is the replicates' standard deviation, the interval their quantiles at the ends of CONFIDENCE."""
    tail = (1 - constants.CONFIDENCE) / 2
    kept = {round(p, 6): quantile for p, quantile in known.quantiles}
    return Estimate(value, known.stderr, kept.get(round(tail, 6)), kept.get(round(1 - tail, 6)))
