"""Two runs that gave the same documents real values: the mean of candidate - reference, its error, and tests of it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.stats.paired.alternative import Alternative, p_of_tails
from harness.stats.paired.clusters import unit_numbers, unit_sums
from harness.stats.paired.columns import column, weight_column, within

ROUNDING = 1e-12
"""A standard error below this part of the largest difference is the rounding of sums, and taken as 0."""
EXACT_UNITS = 12
"""So many units have all their 4,096 signs enumerated, however few resamples are asked for."""
AT_ONCE = 4_000_000
"""Signs drawn at a time, by memory."""


@dataclass(frozen=True)
class PairedMean:
    """A mean of differences, candidate - reference."""

    value: float
    stderr: float | None
    """None of a single unit; 0 where every unit differs by the same."""
    units: int
    """Independent ones: clusters, or documents where none are shared."""
    freedom: int
    """Degrees of freedom: units - 1."""


def paired_mean(
    differences: Any, clusters: Sequence[Hashable] | None = None, weights: Sequence[float] | None = None
) -> PairedMean:
    """The mean of the documents' differences, weighted where `weights` are given (of any sum), with a cluster-robust error.

    stderr = √(C/(C-1) · Σ_c (Σ_{i∈c} w_i·(d_i - d̄))²) for C units and Σw = 1 (Miller 2024, arXiv 2411.00640, eq. 4, with the
    usual factor for few clusters; linearised in the weights as in Cochran, Sampling Techniques, 3rd ed., eq. 6.13). Without
    clusters and weights it is s/√n. Strata are given by weights alone: what strata differ by counts as error, on the large
    side. Documents of weight 0 are none. Raises ValueError for what is not finite.
    """
    listed = column(differences, "differences")
    share = weight_column(weights, len(listed))
    value, residuals, units = unit_residuals(listed, clusters, share)
    if units < 2:
        return PairedMean(value, None, units, 0)
    stderr = math.sqrt(units / (units - 1) * math.fsum(residuals**2))
    if stderr <= ROUNDING * np.abs(listed).max():
        stderr = 0.0
    return PairedMean(value, stderr, units, units - 1)


def unit_residuals(values: Any, clusters: Sequence[Hashable] | None, share: Any) -> tuple[float, Any, int]:
    """The mean Σ share·value, each unit's Σ share·(value - mean), and how many units have a share."""
    unit = unit_numbers(clusters, len(values))
    mean = math.fsum(share * values)
    return mean, np.bincount(unit, weights=share * (values - mean)), len(np.unique(unit[share > 0]))


def mean_p(
    mean: PairedMean, null: float = 0.0, alternative: Alternative = "two-sided", unit_interval: bool = False
) -> float:
    """The p-value of the hypothesis that the mean is `null` (`less`: `null` or more), by Student's t. See `mean_p_of`.

    `unit_interval`: the metric lies between 0 and 1. Then no p-value is smaller than the chance that `unseen_chance` gives: t
    is too sure where few units differ, and of a hundred that do not differ at all would exclude any loss.
    """
    lower, upper = (mean_p_of(mean.value, mean.stderr or 0.0, mean.freedom, null, side) for side in ("less", "greater"))
    if unit_interval:
        unseen = unseen_chance(mean.value, null, mean.units)
        lower, upper = max(lower, unseen), max(upper, unseen)
    return p_of_tails(lower, upper, alternative)


def unseen_chance(value: float, null: float, units: int) -> float:
    """The largest chance that `units` units all lie on `value`'s side if the mean is `null`, differences lying within ±1.

    (1 - |value - null|/room)^units, room being how far a unit can lie beyond value on the side of null: a mean of null needs
    that share of units there at least, and these are none of them. For value 0 it is (1 - loss)^units, by which n patients
    without harm exclude a risk of 3/n (Hanley and Lippman-Hand, JAMA 1983, 249:1743). ValueError for a null beyond ±1.
    """
    if not abs(null) <= 1:
        raise ValueError("a difference of two numbers between 0 and 1 does not lie beyond -1 and 1")
    room = 1 + value if null < value else 1 - value
    return max(0.0, 1 - abs(value - null) / room) ** units if room > 0 else 1.0


def mean_p_of(value: Any, stderr: Any, freedom: Any, null: Any = 0.0, alternative: Alternative = "two-sided") -> Any:
    """The p-value of t = (value - null)/stderr with `freedom` degrees. Numbers or arrays; never NaN of finite ones.

    Where stderr is 0 every unit differs by the same and t tells nothing: the test is then that of signs, of which one
    arrangement in 2^units is as extreme (units = freedom + 1), and 1 where value is `null` itself. So two documents that are
    alike prove little, and a thousand much. A single unit (freedom 0) gets 1/2 on its side, 1 two-sided.
    """
    from scipy.special import stdtr

    value, stderr, freedom = (np.asarray(v, dtype=float) for v in (value, stderr, freedom))
    beyond = value - np.asarray(null, dtype=float)
    if not (np.isfinite(beyond).all() and np.isfinite(stderr).all() and (stderr >= 0).all() and (freedom >= 0).all()):
        raise ValueError("a mean, its error or its degrees of freedom is not a finite number, or below 0")
    told = (stderr > 0) & (freedom > 0)
    t = beyond / np.where(told, stderr, 1.0)
    degrees = np.where(told, freedom, 1.0)
    alike = np.exp2(-(freedom + 1))
    lower = np.where(told, stdtr(degrees, t), np.where(beyond < 0, alike, 1.0))
    upper = np.where(told, stdtr(degrees, -t), np.where(beyond > 0, alike, 1.0))
    return p_of_tails(lower, upper, alternative)


def mean_interval(
    mean: PairedMean, confidence: float, unit_interval: bool = False
) -> tuple[float | None, float | None]:
    """value ± t·stderr. Where all units differ by the same it is the value itself, as the test of signs has it.

    Of a metric between 0 and 1 (`unit_interval`) it reaches as far at least as what so many units could leave unseen. (None,
    None) of a single unit, and of so few units alike that their signs reject nothing at this confidence.
    """
    from scipy.special import stdtrit

    within(confidence, 0, 1, "confidence")
    if mean.stderr is None or (mean.stderr == 0 and 2.0 ** (1 - mean.units) > 1 - confidence):
        return None, None
    half = float(stdtrit(mean.freedom, 0.5 + confidence / 2)) * mean.stderr
    if not unit_interval:
        return mean.value - half, mean.value + half
    unseen = 1 - ((1 - confidence) / 2) ** (1 / mean.units)
    below, above = max(half, (1 + mean.value) * unseen), max(half, (1 - mean.value) * unseen)
    return max(-1.0, mean.value - below), min(1.0, mean.value + above)


def sign_flip(
    differences: Any,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = 9999,
    seed: int = 0,
    alternative: Alternative = "two-sided",
) -> float:
    """The p-value of no difference by the signs of the units' sums: each is as likely to have the other one.

    Units whose sum is 0 tell nothing. All 2^units signs are enumerated for EXACT_UNITS or fewer and wherever `resamples` would
    be no fewer; else `resamples` are drawn by `seed` and the p-value is (1 + as extreme)/(1 + resamples) (Phipson and Smyth,
    Statistical Applications in Genetics 2010, 9:39). All differences 0 give 1. Sums equal but for rounding count as equal.
    """
    sums = unit_sums(differences, clusters)
    sums = sums[sums != 0]
    if not sums.size:
        return 1.0
    every = 2 ** min(sums.size, 62)
    exact = sums.size <= EXACT_UNITS or every <= resamples
    made = _every_total(sums) if exact else _drawn_totals(sums, resamples, seed)
    slack = ROUNDING * np.abs(sums).sum()
    low, high = (made <= sums.sum() + slack).sum(), (made >= sums.sum() - slack).sum()
    if exact:
        return p_of_tails(low / every, high / every, alternative)
    return p_of_tails((low + 1) / (resamples + 1), (high + 1) / (resamples + 1), alternative)


def _every_total(sums: Any) -> Any:
    totals = np.zeros(1)
    for size in sums:
        totals = np.concatenate([totals + size, totals - size])
    return totals


def _drawn_totals(sums: Any, resamples: int, seed: int) -> Any:
    dice = np.random.default_rng(seed)
    rows = max(1, AT_ONCE // sums.size)
    blocks = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    return np.concatenate([sums.sum() - 2 * (dice.random((many, sums.size)) < 0.5) @ sums for many in blocks])
