"""Intervals of a value whose standard error is known, and Wilson's of a share."""

from __future__ import annotations

import math

from harness.stats import constants
from harness.stats.estimate import Estimate


def student_interval(value: float, stderr: float, units: int, freedom: int, unit_interval: bool) -> Estimate:
    """An estimate of `units` independent units with `freedom` degrees of freedom: value ± t·stderr.

    For values between 0 and 1 (`unit_interval`) Wilson's interval at the effective sample size, which is what independent
    0/1 values would need for this stderr, value·(1−value)/stderr² (Korn and Graubard, Survey Methodology 1998, with
    Wilson's interval in place of theirs); where stderr is 0 it is the number of units.
    """
    from scipy.stats import t

    quantile = float(t.ppf(0.5 + constants.CONFIDENCE / 2, freedom))
    if not unit_interval or not 0 <= value <= 1:
        return Estimate(value, stderr, value - quantile * stderr, value + quantile * stderr)
    effective = value * (1 - value) / stderr**2 if stderr > 0 else units
    return Estimate(value, stderr, *wilson_interval(value, effective or units, quantile))


def wilson_interval(p: float, n: float, quantile: float | None = None) -> tuple[float, float]:
    """Wilson's score interval for a share `p` of `n` items, which may be an effective number (Wilson, JASA 1927).

    By hand because scipy's takes whole counts only. `quantile` is z where none is given.
    """
    q = constants.Z if quantile is None else quantile
    centre = (p + q**2 / (2 * n)) / (1 + q**2 / n)
    half = q / (1 + q**2 / n) * math.sqrt(p * (1 - p) / n + q**2 / (4 * n * n))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))  # rounding must not shut p out


def normal_interval(value: float, stderr: float) -> Estimate:
    """An estimate whose standard error was computed elsewhere: value ± z·stderr."""
    return Estimate(value, stderr, value - constants.Z * stderr, value + constants.Z * stderr)
