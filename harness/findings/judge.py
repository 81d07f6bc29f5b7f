"""The verdict on a finding: the mean over seeds, its interval, and whether that is what the papers say.

The rule stands here and the margins in findings.yaml; both were committed before the seeds were run. Every finding is judged
for itself at constants.CONFIDENCE; nothing is adjusted for their number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.findings.contrast import Bound, Paired, Pairs
from harness.findings.finding import AnyFinding, Contrast, TokenRatio
from harness.findings.seeds import seeds_to_enclose, seeds_to_exceed
from harness.stats import constants
from harness.stats.paired.real import PairedMean, mean_interval, mean_p, paired_mean

Word = Literal["same", "different", "not resolved", "too few seeds"]


@dataclass(frozen=True)
class Judged:
    """A finding with its answer. value, lower, upper: the mean over seeds and its two-sided interval, in the finding's unit; of
    tokens the factor. An end is None where there is none: too few seeds, or bounds on that side.

    `p_value`: of no difference, two-sided. `needed`: seeds that a verdict would take, of one that is not resolved; None: more
    than are sought, or no spread is known. `seeds_sd` is the standard deviation between seeds, `documents_sd` the part of it
    that the choice of held-out documents explains (root mean square of each seed's error by documents).
    """

    finding: AnyFinding
    word: Word
    seeds: int
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    bound: Bound = ""
    p_value: float | None = None
    seeds_sd: float | None = None
    documents_sd: float | None = None
    needed: int | None = None
    pairs: tuple[Paired, ...] = ()
    notes: tuple[str, ...] = field(default=())


def judge(finding: AnyFinding, pairs: Pairs) -> Judged:
    """The verdict over these seeds.

    superiority, more: same where the interval lies above 0 (a factor of 1); different where it lies below the margin, so that
    what the papers found is not there or smaller than what counts.
    no-worse: same where the one-sided test excludes a loss of the margin; else different where the interval lies below 0.
    equivalent: same where both one-sided tests place the mean within ± margin (TOST; Schuirmann, J. Pharmacokinet. Biopharm.
    1987, 15:657); different where the interval lies beyond it.
    at-least: same where the interval lies above the factor less the margin, different where it lies below the factor.
    """
    numbers = pairs.found
    bounds: set[Bound] = {each.bound for each in numbers}
    if len(numbers) < finding.least_seeds:
        value = _shown(finding, sum(each.value for each in numbers) / len(numbers)) if numbers else None
        return Judged(
            finding, "too few seeds", len(numbers), value, pairs=numbers, notes=pairs.left_out,
            needed=finding.least_seeds,
        )  # fmt: skip
    mean = paired_mean([each.value for each in numbers])
    lower, upper = mean_interval(mean, constants.CONFIDENCE)
    lower, upper = (None if "at most" in bounds else lower), (None if "at least" in bounds else upper)
    word = _word(finding, mean, lower, upper)
    sd = (mean.stderr or 0.0) * math.sqrt(mean.units)
    return Judged(
        finding, word, len(numbers), *(_shown(finding, each) for each in (mean.value, lower, upper)),
        bound=_bound(bounds),
        p_value=mean_p(mean),
        seeds_sd=sd,
        documents_sd=_documents_sd(numbers),
        needed=_needed(finding, mean.value, sd) if word == "not resolved" and not bounds - {""} else None,
        pairs=numbers,
        notes=pairs.left_out,
    )  # fmt: skip


def _word(finding: AnyFinding, mean: PairedMean, lower: float | None, upper: float | None) -> Word:
    margin = math.log(finding.margin) if isinstance(finding, TokenRatio) else finding.margin
    match finding.kind:
        case "superiority" | "more":
            same, different = _above(lower, 0.0), _below(upper, margin)
        case "no-worse":
            same, different = _rejects(mean, -margin, "greater"), _below(upper, 0.0)
        case "equivalent":
            same = _rejects(mean, -margin, "greater") and _rejects(mean, margin, "less")
            different = _above(lower, margin) or _below(upper, -margin)
        case "at-least":
            factor = math.log(finding.factor)
            same, different = _above(lower, factor - margin), _below(upper, factor)
    return "same" if same else "different" if different else "not resolved"


def _above(lower: float | None, null: float) -> bool:
    return lower is not None and lower > null


def _below(upper: float | None, null: float) -> bool:
    return upper is not None and upper < null


def _rejects(mean: PairedMean, null: float, side: Literal["less", "greater"]) -> bool:
    """Whether the one-sided test at 1 − CONFIDENCE excludes that the mean is `null`."""
    return mean_p(mean, null, side) < 1 - constants.CONFIDENCE


def _needed(finding: AnyFinding, mean: float, sd: float) -> int | None:
    """The seeds by which this question is answered with a chance of constants.POWER, if mean and spread are as seen.

    By the shorter of its ways: for superiority that the interval excludes 0 or the margin, for no-worse that it excludes the
    margin or 0, for equivalence that both tests reject or that the interval lies beyond the margin.
    """
    one, half = 1 - constants.CONFIDENCE, (1 - constants.CONFIDENCE) / 2
    margin = math.log(finding.margin) if isinstance(finding, TokenRatio) else finding.margin
    ways: list[int | None]
    match finding.kind:
        case "superiority" | "more":
            ways = [seeds_to_exceed(mean, sd, half), seeds_to_exceed(margin - mean, sd, half)]
        case "no-worse":
            ways = [seeds_to_exceed(mean + margin, sd, one), seeds_to_exceed(-mean, sd, half)]
        case "equivalent":
            ways = [seeds_to_enclose(mean, sd, margin, one), seeds_to_exceed(abs(mean) - margin, sd, half)]
        case "at-least":
            short = math.log(finding.factor) - mean
            ways = [seeds_to_exceed(margin - short, sd, half), seeds_to_exceed(short, sd, half)]
    return min((way for way in ways if way is not None), default=None)


def _shown(finding: AnyFinding, value: float | None) -> float | None:
    """In the finding's unit: tokens were compared as logarithms."""
    return value if value is None or isinstance(finding, Contrast) else math.exp(value)


def _bound(bounds: set[Bound]) -> Bound:
    """What the mean of bounds is, where all of them lie on one side."""
    told = bounds - {""}
    return next(iter(told)) if len(told) == 1 else ""


def _documents_sd(numbers: Sequence[Paired]) -> float | None:
    errors = [each.by_documents for each in numbers if each.by_documents is not None]
    return math.sqrt(sum(error**2 for error in errors) / len(errors)) if errors else None
