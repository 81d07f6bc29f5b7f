"""From the arms of each seed to one number a seed and finding: a difference of losses, or a ratio of tokens."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.findings.finding import AnyFinding, Contrast, TokenRatio
from harness.stats.paired.real import paired_mean
from zoo.reproduce.record import ArmResult, Losses

Bound = Literal["", "at least", "at most"]
SeedArms = Mapping[str, ArmResult]


@dataclass(frozen=True)
class Paired:
    """One seed's number. Losses: worse − better, in the finding's unit; tokens: log of the factor.

    `by_documents` is the standard error of the number over held-out documents alone. A factor is a bound where a curve ends
    before it comes to the loss, or begins below it.
    """

    seed: int
    value: float
    by_documents: float | None = None
    bound: Bound = ""


@dataclass(frozen=True)
class Pairs:
    """The numbers of all seeds, and why a seed has none."""

    found: tuple[Paired, ...]
    left_out: tuple[str, ...] = ()


def pairs_of(finding: AnyFinding, seeds: Mapping[int, SeedArms]) -> Pairs:
    """One number a seed, by number of the seed; a seed that lacks an arm, or in which one diverged, is named instead."""
    found: list[Paired] = []
    left_out: list[str] = []
    for seed, arms in sorted(seeds.items()):
        missing = [name for name in arms_of(finding) if name not in arms]
        diverged = [name for name in arms_of(finding) if name in arms and arms[name].diverged is not None]
        if diverged:
            left_out.append(f"seed {seed}: {diverged[0]} diverged")
        elif missing:
            left_out.append(f"seed {seed} has no {missing[0]} yet")
        elif isinstance(finding, Contrast):
            found.append(_difference(finding, seed, arms))
        elif (ratio := _ratio(finding, seed, arms)) is not None:
            found.append(ratio)
        else:
            left_out.append(f"seed {seed}: no curve crosses {100 * finding.within:g} % above the teacher's loss")
    return Pairs(tuple(found), tuple(left_out))


def arms_of(finding: AnyFinding) -> tuple[str, ...]:
    """The results of a seed that a finding is computed from."""
    if isinstance(finding, Contrast):
        return finding.better, finding.worse
    return ("teacher", *finding.distilled, *finding.scratch)


def _difference(finding: Contrast, seed: int, arms: SeedArms) -> Paired:
    better, worse = (arms[name].losses[finding.text] for name in (finding.better, finding.worse))
    error = _document_error(better, worse)
    value = worse.mean - better.mean
    if finding.unit == "percent":
        value, error = 100 * value / worse.mean, None if error is None else 100 * error / worse.mean
    return Paired(seed, value, error)


def _document_error(better: Losses, worse: Losses) -> float | None:
    """Of the difference a token: documents are the units, each weighted by its tokens. None of other documents than these."""
    if better.tokens != worse.tokens:
        return None
    tokens = np.array(better.tokens, dtype=float)
    return paired_mean((np.array(worse.nll) - np.array(better.nll)) / tokens, weights=tokens.tolist()).stderr


@dataclass(frozen=True)
class Reached:
    """The tokens at which a curve comes to a loss; with a bound it is its last or its first point."""

    tokens: float
    side: Literal["", "later", "earlier"] = ""


def reached(points: Sequence[tuple[int, float]], target: float) -> Reached:
    """Where a curve of (tokens, loss) first comes down to `target`: between two points a line in the logarithm of tokens.

    >>> round(reached([(100, 3.0), (400, 1.0)], 2.0).tokens)
    200
    >>> reached([(100, 3.0), (400, 2.5)], 2.0)
    Reached(tokens=400.0, side='later')
    """
    curve = sorted(points)
    if curve[0][1] <= target:
        return Reached(float(curve[0][0]), "earlier")
    for (before, high), (after, low) in itertools.pairwise(curve):
        if low <= target:
            share = (high - target) / (high - low)
            return Reached(math.exp(math.log(before) + share * (math.log(after) - math.log(before))))
    return Reached(float(curve[-1][0]), "later")


def _ratio(finding: TokenRatio, seed: int, arms: SeedArms) -> Paired | None:
    """log(tokens from scratch / tokens distilled); None where both curves end above the loss, or both begin below it."""
    target = arms["teacher"].losses["own"].mean * (1 + finding.within)
    distilled, scratch = (
        reached([(arms[name].tokens, arms[name].losses["own"].mean) for name in names], target)
        for names in (finding.distilled, finding.scratch)
    )
    if distilled.side and distilled.side == scratch.side:
        return None
    least = distilled.side == "earlier" or scratch.side == "later"
    most = distilled.side == "later" or scratch.side == "earlier"
    bound: Bound = "at least" if least else "at most" if most else ""
    return Paired(seed, math.log(scratch.tokens / distilled.tokens), bound=bound)
