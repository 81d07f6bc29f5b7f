"""The winner against the median candidate, on seeds and documents that ranked nothing.

Each seed draws other calibration rows, so other plans of the same two shapes, and another order of the training rows; both
candidates get as many tokens as the winner got in the search, and are judged on the documents that were kept for this.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from zoo.prune.parent import Parent
from zoo.search.stages.cutting import Importance, importance, plan_of
from zoo.search.stages.distilling import School
from zoo.search.stages.ranking import pupil_of
from zoo.search.stages.scoring import Scored
from zoo.search.stopping import Losses, StopRule, interval_of, point_losses

APART = 1000
"""Between a search's seed and those of its confirmation, so that searches of neighbouring seeds confirm on others."""
Verdict = Literal["confirmed", "not confirmed", "not resolved"]


@dataclass(frozen=True)
class Pair:
    """One seed: losses of winner and median candidate in nats a token, and their difference with the interval of documents."""

    seed: int
    winner: float
    median: float
    difference: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Confirmation:
    """The difference winner − median over the seeds in nats a token, negative where the winner is better.

    The interval is Student's over the seeds, paired within each; None with fewer than two. `diverged` says which training did.
    """

    median: int
    steps: int
    pairs: tuple[Pair, ...]
    difference: float | None
    lower: float | None
    upper: float | None
    confidence: float
    verdict: Verdict
    told: str


def confirm(
    winner: Scored, median: Scored, parent: Parent, school: School, how: Importance, work: Path, seeds: int, step: int,
    rule: StopRule, progress: Callable[[str, int, int], None] | None = None,
) -> Confirmation:  # fmt: skip
    """Train both anew for each seed and compare them. Raises StoppedBySignal, and what the stages before raise."""
    pairs: list[Pair] = []
    diverged: list[str] = []
    for seed in (how.seed + APART + number for number in range(seeds)):
        losses = _losses((winner, median), parent, school, replace(how, seed=seed), work, step, diverged)
        if losses is not None:
            tokens = school.text.confirming.tokens
            of_winner, of_median = (float(point_losses(each[None], tokens)[0]) for each in losses)
            pairs.append(Pair(seed, of_winner, of_median, *interval_of(losses[0], losses[1], tokens, rule)))
        if progress:
            progress("seeds of the confirmation", seed - how.seed - APART + 1, seeds)
    return summed(pairs, median.number, step, rule.confidence, diverged)


def summed(
    pairs: Sequence[Pair], median: int, step: int, confidence: float, diverged: Sequence[str] = ()
) -> Confirmation:
    """The difference over all seeds: mean ± t·s/√n with n − 1 degrees of freedom.

    >>> pairs = [Pair(seed, 1.0, 1.1, gap, gap, gap) for seed, gap in enumerate((-0.11, -0.10, -0.09))]
    >>> found = summed(pairs, 4, 60, 0.95)
    >>> round(found.difference, 3), round(found.lower, 4), round(found.upper, 4), found.verdict
    (-0.1, -0.1248, -0.0752, 'confirmed')
    """
    told = "; ".join(diverged)
    if not pairs:
        return Confirmation(median, step, (), None, None, None, confidence, "not resolved", told or "No seed was run.")
    gaps = [pair.difference for pair in pairs]
    mean = statistics.fmean(gaps)
    if len(pairs) < 2:
        few = "One seed says nothing of how seeds differ, so there is no interval over seeds; it takes 2, and better more."
        told = f"{few} {told}".strip()
        return Confirmation(median, step, tuple(pairs), mean, None, None, confidence, "not resolved", told)
    from scipy.stats import t

    half = float(t.ppf(0.5 + confidence / 2, len(gaps) - 1)) * statistics.stdev(gaps) / math.sqrt(len(gaps))
    lower, upper = mean - half, mean + half
    verdict: Verdict = "confirmed" if upper < 0 else "not confirmed" if lower > 0 else "not resolved"
    if verdict == "not resolved":
        needed = seeds_needed(mean, statistics.stdev(gaps), confidence)
        told = f"{told} About {needed} seeds would resolve a difference of this size.".strip() if needed else told
    return Confirmation(median, step, tuple(pairs), mean, lower, upper, confidence, verdict, told)


def seeds_needed(mean: float, spread: float, confidence: float) -> int | None:
    """The fewest seeds whose interval, with the same mean and standard deviation, leaves 0 out; None where no number to 10,000
    does.

    >>> seeds_needed(-0.1, 0.01, 0.95), seeds_needed(-0.01, 0.02, 0.95)
    (2, 18)
    """
    from scipy.stats import t

    for n in range(2, 10_001):
        if float(t.ppf(0.5 + confidence / 2, n - 1)) * spread / math.sqrt(n) < abs(mean):
            return n
    return None


def _losses(
    both: Sequence[Scored], parent: Parent, school: School, how: Importance, work: Path, step: int, diverged: list[str]
) -> list[Losses] | None:
    """Of both on the documents kept for it; None where a training diverged, which is added to the list."""
    removed = [parent.dims.num_layers - each.candidate.shape.layers for each in both]
    rows = school.text.in_order(how.seed)
    scores = importance(parent, rows, removed, how, work / f"importance-{how.seed}.safetensors", school.progress)
    found: list[Losses] = []
    for each in both:
        again = replace(each, plan=plan_of(parent, each.candidate.shape, scores, how.depth_by))
        pupil = pupil_of(again, parent, work, how.seed)
        learnt = pupil.learnt(school, school.text.confirming, step)
        pupil.forget()
        if learnt.nll is None:
            diverged.append(f"Candidate {each.number} diverged by seed {how.seed}: {learnt.diverged}")
            return None
        found.append(learnt.nll)
    return found
