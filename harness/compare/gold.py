"""The sensitive test: how much less, or more, probable the right answers became, paired by document."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.compare.evidence import Evidence
from harness.stats import constants
from harness.stats.paired.effect import standardised
from harness.stats.paired.power import real_detectable
from harness.stats.paired.real import mean_interval, mean_p, paired_mean


@dataclass(frozen=True)
class GoldComparison:
    """Log-probability of the right answer in nats an item, B - A. Paired t, by cluster where documents share one."""

    n: int
    """Documents whose right answer has a log-probability on both sides."""
    units: int
    a_value: float
    b_value: float
    difference: float
    stderr: float | None
    lower: float | None
    upper: float | None
    p_value: float
    """Two-sided, of no difference."""
    detectable: float | None
    effect: float | None
    """Mean difference over its standard deviation."""
    p_holm: float | None = None


def gold_comparison(evidence: Evidence) -> GoldComparison | None:
    """Compare the right answers' log-probabilities; None where fewer than two documents have one on both sides."""
    import numpy as np

    there = np.isfinite(evidence.gold_a) & np.isfinite(evidence.gold_b)
    if there.sum() < 2:
        return None
    found = evidence if there.all() else evidence.where(there)
    differences = found.gold_b - found.gold_a
    mean = paired_mean(differences, found.clusters, None if found.is_even else found.weights)
    lower, upper = mean_interval(mean, constants.CONFIDENCE)
    return GoldComparison(
        n=len(found),
        units=mean.units,
        a_value=math.fsum(found.gold_a * found.weights),
        b_value=math.fsum(found.gold_b * found.weights),
        difference=mean.value,
        stderr=mean.stderr,
        lower=lower,
        upper=upper,
        p_value=mean_p(mean),
        detectable=real_detectable(mean.stderr, mean.freedom, (1 - constants.CONFIDENCE) / 2, constants.POWER),
        effect=standardised(mean.value, float(differences.std(ddof=1))),
    )
