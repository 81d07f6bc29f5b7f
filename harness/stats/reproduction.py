"""Whether a measured score reproduces a published one: the one definition of the verdict.

What is asked is whether all documents of the task would have scored what was printed. Published and measured scores are of
the same documents, so the error of a run over part of them shrinks as the part grows (finite population); what stays is the
sampling of answers, on both sides, the rounding of the printed figure, and that a source may have taken a part of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from harness.stats import constants
from harness.stats.estimate import Estimate
from harness.stats.finite_sample import repeatability_limit

Outcome = Literal["reproduced", "differs", "not resolved", "not comparable"]
TOO_NEAR = "the difference is too near the margin"


@dataclass(frozen=True)
class Margin:
    """How far apart two scores may lie and still count as the same, and why so far."""

    width: float
    basis: str


@dataclass(frozen=True)
class Protocols:
    """What of the two measurements makes their errors. None and 1 where neither side samples or takes a part."""

    rounding: float
    """Half of the last printed digit."""
    samples_here: int | None = None
    samples_there: int | None = None
    """Answers sampled for each problem; None is taken as on the other side."""
    part: float | None = None
    """The share of the documents that the source drew for itself; None where it ran all, or nobody knows the share."""
    drew_part: bool = False


@dataclass(frozen=True)
class Verdict:
    """`difference` is measured − published, with the ends of its 95 % interval. `needs_n`: so many documents would tell."""

    outcome: Outcome
    difference: float
    lower: float | None
    upper: float | None
    needs_n: int | None
    reason: str | None


def margin_of(stated: float | None, draws: int, sd: float | None) -> Margin:
    """A suite's own margin, else one point, or the spread over `draws` of few-shot examples (their sd) where that is more."""
    if stated is not None:
        return Margin(stated, "stated by the suite")
    if sd is not None and repeatability_limit(sd) > constants.POINT:
        return Margin(repeatability_limit(sd), f"{draws} draws of few-shot examples")
    return Margin(constants.POINT, "one point")


def verdict(
    measured: Estimate,
    n: int,
    total: int | None,
    published: float,
    margin: float,
    protocols: Protocols,
    incomparable: str | None = None,
) -> Verdict:
    """The verdict on `measured`, of `n` of `total` documents, against a printed figure.

    reproduced: the difference's interval lies within ± margin; differs: it lies outside; not resolved: neither. `incomparable`
    says why the two are not the same measurement: then that is the verdict, and the bounds are for information.
    ValueError where `measured` has no value.
    """
    if measured.value is None:
        raise ValueError("a score without a value has no verdict")
    difference = measured.value - published
    errors = None if total is None else _errors(measured, n, total, protocols)
    lower, upper = _bounds(measured, difference, errors, protocols.rounding)
    if incomparable is not None:
        return Verdict("not comparable", difference, lower, upper, None, incomparable)
    if lower is not None and upper is not None:
        if lower >= -margin and upper <= margin:
            return Verdict("reproduced", difference, lower, upper, None, None)
        if lower > margin or upper < -margin:
            return Verdict("differs", difference, lower, upper, None, None)
    needed = (
        None if errors is None or total is None else _needed(errors, n, total, difference, margin, protocols.rounding)
    )
    reason = None if needed else TOO_NEAR
    if measured.lower is None or measured.upper is None:
        reason = "the measured score has no interval"
    elif total is not None and n >= total:
        reason = f"every document was run: {TOO_NEAR}"
    return Verdict("not resolved", difference, lower, upper, needed, reason)


@dataclass(frozen=True)
class _Errors:
    left: float | None
    """What is left of the measured error when the question is what all documents would give, 0–1."""
    spread: float | None
    """Variance of one document."""
    own_noise: float
    their_noise: float
    """Variances from sampling answers, here and there."""
    their_part: float | None
    """Variance of the source's own part, in units of `spread`; None where its share is unknown."""

    @property
    def around(self) -> float | None:
        """The variance on the source's side."""
        if self.their_part is None or self.spread is None:
            return None
        return self.their_noise + self.their_part * self.spread


def _errors(measured: Estimate, n: int, total: int, protocols: Protocols) -> _Errors:
    if measured.stderr:
        left = None if measured.whole_stderr is None else measured.whole_stderr / measured.stderr
    else:
        left = math.sqrt(max(0.0, 1 - n / total))
    noise = (measured.decoding_stderr or 0.0) ** 2 * n / total
    share = 1.0
    if protocols.samples_here:
        share = protocols.samples_here / (protocols.samples_there or protocols.samples_here)
    part = 0.0 if not protocols.drew_part else (1 / protocols.part - 1) / total if protocols.part else None
    return _Errors(left, _spread(measured, n), noise, noise * share, part)


def _spread(measured: Estimate, n: int) -> float | None:
    """Variance of one document, from the wider of stderr and interval: a stderr of 0 says nothing."""
    known = [] if measured.stderr is None else [measured.stderr]
    if measured.lower is not None and measured.upper is not None:
        known.append((measured.upper - measured.lower) / (2 * constants.Z))
    return n * max(known) ** 2 if known else None


def _bounds(
    measured: Estimate, difference: float, errors: _Errors | None, rounding: float
) -> tuple[float | None, float | None]:
    """The interval of the difference: the measured one, shrunk by what was run, and the source's errors, in squares."""
    if errors is None or errors.left is None or errors.around is None:
        return None, None
    if measured.value is None or measured.lower is None or measured.upper is None:
        return None, None
    around = constants.Z**2 * errors.around
    below = math.sqrt((errors.left * (measured.value - measured.lower)) ** 2 + around)
    above = math.sqrt((errors.left * (measured.upper - measured.value)) ** 2 + around)
    return difference - below - rounding, difference + above + rounding


def _needed(errors: _Errors, n: int, total: int, difference: float, margin: float, rounding: float) -> int | None:
    """So many documents would tell, if the difference stays as it is; None where all of them would not.

    Solves z²·(spread·(1/n − 1/total) + own and their noise + their part) = (distance to the margin − rounding)² for n.
    """
    if n >= total or errors.spread is None or errors.around is None:
        return None
    reach = max(0.0, abs(abs(difference) - margin) - rounding) / constants.Z
    left = reach**2 + errors.spread / total - errors.own_noise - errors.around
    wanted = errors.spread / left if left > 0 else 0.0
    return max(math.ceil(wanted), n + 1) if 0 < wanted <= total else None
