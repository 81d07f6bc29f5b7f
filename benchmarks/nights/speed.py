"""Speed trial by trial: canary and candidate in turn through nights that drift, nights with heavy tails, and single outliers.

What a night does to the machine (its level, its drift, its slowness) falls on both; noise and outliers are each trial's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.nights import plan

CANARY, CANDIDATE = 0, 1
CLEAN, SLOW = plan.NIGHTS_OF_A_BASELINE, plan.SLOW_NIGHTS


@dataclass(frozen=True)
class SpeedNights:
    """Series of nights, the last SLOW of them with a slower candidate: arrays [series, nights, cells]."""

    p: Any
    """Of the paired test: is the candidate slower?"""
    raw: Any
    """Median time of the candidate's trials."""
    ratio: Any
    """It over the canary's."""


def speed_nights(dice: np.random.Generator, noise: float, heavy: Any, pairs: int = plan.PAIRS) -> SpeedNights:
    """`heavy`: whether the night is one, [series, nights, cells]. Times are relative to a usual trial."""
    from harness.stats.paired.ratio import slowdown_p

    times = trial_times(dice, noise, heavy, pairs)
    times[:, CLEAN:, :, :, CANDIDATE] += np.log1p(plan.SLOWDOWN)
    log_ratios = times[..., CANARY] - times[..., CANDIDATE]  # of speeds: below 0 where the candidate is slower
    medians = np.exp(np.median(times, axis=3))
    return SpeedNights(
        np.asarray(slowdown_p(log_ratios)), medians[..., CANDIDATE], medians[..., CANDIDATE] / medians[..., CANARY]
    )


def trial_times(dice: np.random.Generator, noise: float, heavy: Any, pairs: int) -> Any:
    """Logarithms of trials' times, [series, nights, cells, pairs, side]; the canary's trial comes first in each pair."""
    series, nights, cells = heavy.shape
    shape = (series, nights, cells, pairs, 2)
    level = autocorrelated(dice, noise, heavy.shape) + heavy * dice.exponential(plan.HEAVY_SLOWDOWN, heavy.shape)
    drift = dice.uniform(-plan.DRIFT, plan.DRIFT, heavy.shape)
    when = np.linspace(0.0, 1.0, 2 * pairs).reshape(pairs, 2)
    usual = dice.standard_normal(shape)
    tailed = dice.standard_t(plan.HEAVY_FREEDOM, (int(heavy.sum()), *shape[3:]))
    usual[heavy] = plan.HEAVY_SCALE * tailed / np.sqrt(plan.HEAVY_FREEDOM / (plan.HEAVY_FREEDOM - 2))
    times = level[..., None, None] + drift[..., None, None] * when + noise * usual
    outlying = dice.random(shape) < plan.OUTLIERS
    times[outlying] += np.log1p(dice.uniform(0.05, 0.5, int(outlying.sum())))
    return times


def autocorrelated(dice: np.random.Generator, sd: float, shape: tuple[int, int, int]) -> Any:
    """A stationary AR(1) process over the nights, of standard deviation `sd`: [series, nights, cells]."""
    phi = plan.AUTOCORRELATION
    fresh = dice.standard_normal(shape)
    found = np.empty(shape)
    found[:, 0] = sd * fresh[:, 0]
    for night in range(1, shape[1]):
        found[:, night] = phi * found[:, night - 1] + sd * np.sqrt(1 - phi**2) * fresh[:, night]
    return found
