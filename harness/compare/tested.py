"""The numbers of one comparison: each side's score on the documents in common, the difference, its interval, its test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.compare.evidence import Evidence
from harness.stats import constants
from harness.stats.paired.binary import difference_interval, mcnemar
from harness.stats.paired.clustered_binary import clustered_difference_interval
from harness.stats.paired.clusters import clustered_sign_test, unit_sums
from harness.stats.paired.effect import cohens_g, standardised
from harness.stats.paired.power import paired_detectable, paired_power, real_detectable
from harness.stats.paired.real import EXACT_UNITS, PairedMean, mean_interval, mean_p, paired_mean, sign_flip

PERMUTED = 100
"""Up to so many independent units a real-valued metric is tested by permutation; of more the mean is normal enough for t."""
RESAMPLES = 9_999


@dataclass(frozen=True)
class Tested:
    """A metric of two sides over the same documents. A difference is B - A in the metric's own unit."""

    n: int
    """Documents in common."""
    units: int
    """Independent units that they form."""
    a_value: float
    b_value: float
    difference: float
    lower: float | None
    upper: float | None
    """Ends of its 95 % interval; None of a single unit."""
    p_value: float
    """Two-sided, of no difference."""
    test: str
    """By name."""
    lost: int
    """Documents of which B's value is the worse one; of a metric of right and wrong, those that only A has right."""
    gained: int
    detectable: float | None
    """The smallest true difference, either way, that this comparison finds with 80 % power at 95 %, two-sided; None where
    there are too few documents to find any."""
    effect: float | None
    """Cohen's g of a metric of right and wrong, else the mean difference over its standard deviation (d_z)."""
    effect_name: str


def tested(evidence: Evidence, better: bool | None) -> Tested:
    """Compare; `better` says whether more of the metric is better, None where nobody does (more then counts as better)."""
    way = evidence.way
    mean_a = math.fsum(evidence.a * evidence.weights)
    mean_b = math.fsum(evidence.b * evidence.weights)
    differences = evidence.b - evidence.a
    sign = -1 if better is False and not way.likelihood else 1
    lost, gained = int((sign * differences < 0).sum()), int((sign * differences > 0).sum())
    mean = paired_mean(differences, evidence.clusters, None if evidence.is_even else evidence.weights)
    binary = evidence.is_binary and evidence.is_even
    if binary and evidence.clusters is None:
        p_value, name = mcnemar(lost, gained), "exact McNemar"
        ends = difference_interval(lost, gained, len(evidence), constants.CONFIDENCE)
        ends = ends if sign > 0 else (-ends[1], -ends[0])
        least = _detectable_share(len(evidence), lost + gained)
    else:
        p_value, name = _p_of_mean(evidence, mean, binary)
        ends = _ends(evidence, mean, binary)
        least = real_detectable(mean.stderr, mean.freedom, _alpha(), constants.POWER)
    value_a = way.number(mean_a)

    def shift(by: float) -> float:
        return way.number(mean_a + by) - value_a

    spread = float(differences.std(ddof=1)) if len(evidence) > 1 else 0.0
    lower, upper = (None, None) if ends[0] is None or ends[1] is None else sorted(map(shift, (ends[0], ends[1])))
    return Tested(
        n=len(evidence), units=mean.units, a_value=value_a, b_value=way.number(mean_b),
        difference=way.number(mean_b) - value_a, lower=lower, upper=upper, p_value=float(p_value), test=name,
        lost=lost, gained=gained, detectable=None if least is None else abs(shift(-least)),
        effect=cohens_g(lost, gained) if binary else standardised(sign * mean.value, spread),
        effect_name="g" if binary else "d_z",
    )  # fmt: skip


def _ends(evidence: Evidence, mean: PairedMean, binary: bool) -> tuple[float | None, float | None]:
    if binary:
        return clustered_difference_interval(evidence.b - evidence.a, mean, constants.CONFIDENCE)
    return mean_interval(mean, constants.CONFIDENCE, evidence.in_unit_interval)


def _p_of_mean(evidence: Evidence, mean: PairedMean, binary: bool) -> tuple[float, str]:
    differences = evidence.b - evidence.a
    of = f" of {evidence.way.of}s" if evidence.way.of else ""
    units = " by cluster" if evidence.clusters is not None else ""
    if binary:
        return clustered_sign_test(unit_sums(differences, evidence.clusters)), "exact sign test by cluster"
    if mean.units <= PERMUTED:
        kind = "exact " if mean.units <= EXACT_UNITS else ""
        weighted = differences * evidence.weights * len(evidence)
        return sign_flip(weighted, evidence.clusters, RESAMPLES), f"{kind}permutation{of}{units}"
    weighted_tasks = " of weighted tasks" if not evidence.is_even and not of else ""
    return mean_p(mean), f"paired t{of}{weighted_tasks}{units}"


def _alpha() -> float:
    """One-sided, of a two-sided test at the rule's confidence."""
    return (1 - constants.CONFIDENCE) / 2


def _detectable_share(n: int, changed: int) -> float | None:
    """Of right and wrong, at the share of changed documents that was seen. Where so few change that even a loss of all of
    them would not show: the smallest loss that shows if nothing else changes."""
    found = paired_detectable(n, changed / n, _alpha(), constants.POWER) if changed else None
    return found if found is not None else _smallest(lambda loss: paired_power(n, loss, loss, _alpha()))


def _smallest(power: Callable[[float], float]) -> float | None:
    from scipy.optimize import bisect

    if power(1.0) < constants.POWER:
        return None
    found: Any = bisect(lambda loss: power(loss) - constants.POWER, 1e-9, 1.0, xtol=1e-6)
    return float(found)
