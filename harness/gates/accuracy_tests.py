"""The tests of one accuracy entry for one pair: detect, release and gold log-probability, from the documents in common."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from harness.compare.evidence import Evidence
from harness.gates.outcome import Findings, GoldNumbers, Numbers
from harness.gates.policy import AccuracyEntry, Policy
from harness.stats.paired.binary import difference_interval, difference_p, mcnemar
from harness.stats.paired.clustered_binary import clustered_difference_interval, clustered_difference_p
from harness.stats.paired.clusters import clustered_sign_test, unit_sums
from harness.stats.paired.power import paired_power, real_detectable
from harness.stats.paired.real import PairedMean, mean_interval, mean_p, paired_mean

ROUNDING = 1e-4
"""A mean loss of real values (mc2, rougeL) that detect takes for rounding: other thread counts change last digits, and all of
them may go one way. A hundredth of a point. Right and wrong need none."""


@dataclass(frozen=True)
class AccuracyFindings(Findings):
    """The numbers of an accuracy entry, with what its power depends on."""

    mean: PairedMean | None
    """Of real values or clusters; None where documents are right or wrong on their own."""
    scaled_margin: float
    """In the scale of the tests."""

    def would_find(self, alpha: float, power: float, flips: float | None) -> bool:
        """At the share of documents that changed, and never less than a true loss of the margin changes."""
        mean, margin = self.mean, self.scaled_margin
        if mean is None:
            discordant = min(1.0, max(self._changed, margin, flips or 0.0))
            return margin < 1 and paired_power(self.numbers.n, discordant, margin, alpha) >= power
        if mean.stderr == 0:  # no two units differ: had all lost the margin, the test of signs would have told
            return 2.0**-mean.units <= alpha
        least = real_detectable(mean.stderr, mean.freedom, alpha, power)
        return least is not None and least <= margin

    def needed(self, alpha: float, power: float) -> int | None:
        """(z_α + z_power)²·d/m² for d the share that changed (normal), and never fewer than z_α²·(1 - m)/m, which Tango's
        statistic needs where nothing changes; of real values n·(detectable/m)²."""
        mean, margin = self.mean, self.scaled_margin
        if margin <= 0 or (mean is None and margin >= 1):
            return None
        if mean is None:
            quantile = NormalDist().inv_cdf
            least = quantile(1 - alpha) ** 2 * (1 - margin) / margin
            return math.ceil(max(least, ((quantile(1 - alpha) + quantile(power)) / margin) ** 2 * self._changed))
        seen = real_detectable(mean.stderr, mean.freedom, alpha, power)
        return math.ceil(self.numbers.n * (seen / margin) ** 2) if seen else None

    @property
    def _changed(self) -> float:
        numbers = self.numbers
        return ((numbers.lost or 0) + (numbers.gained or 0)) / numbers.n


@dataclass(frozen=True)
class Loss:
    """Candidate - reference document by document, turned so that more is better, in the scale of the tests."""

    values: Any
    sign: int
    """-1 where less of the metric is better."""
    margin: float
    binary: bool
    """Right or wrong, every document alike."""
    unit_interval: bool
    """The values lie between 0 and 1, and so their differences between -1 and 1."""
    clusters: Any
    weights: Any
    """None where all count alike."""

    @property
    def lost(self) -> int:
        """Documents on which the candidate does worse."""
        return int((self.values < 0).sum())

    @property
    def gained(self) -> int:
        """Documents on which it does better."""
        return int((self.values > 0).sum())

    @property
    def alone(self) -> bool:
        """Whether the tests of independent documents that are right or wrong apply."""
        return self.binary and self.clusters is None


def find(evidence: Evidence, higher_is_better: bool, entry: AccuracyEntry, policy: Policy) -> AccuracyFindings:
    """All numbers that the entry asks for, each p-value of this pair alone. Numbers in the metric's own unit."""
    loss = loss_of(evidence, higher_is_better, entry)
    mean = None if loss.alone else paired_mean(loss.values, loss.clusters, loss.weights)
    gold = _gold(evidence, entry, policy) if "detect" in entry.ask else None
    reference, candidate = (_number(evidence, side) for side in (evidence.a, evidence.b))
    lower, upper = _interval(evidence, loss, mean, reference, policy)
    asks_release = "release" in entry.ask and loss.margin > 0
    numbers = Numbers(
        n=len(evidence),
        units=mean.units if mean else len(evidence),
        reference=reference,
        candidate=candidate,
        difference=candidate - reference,
        lower=lower,
        upper=upper,
        margin=entry.margin.of(reference),
        loss=-(mean.value if mean else (loss.gained - loss.lost) / len(evidence)),
        higher_is_better=higher_is_better,
        test=_words(evidence, loss),
        lost=loss.lost if loss.binary else None,
        gained=loss.gained if loss.binary else None,
        detect_p=_detect_p(evidence, loss, mean) if "detect" in entry.ask else None,
        release_p=_margin_p(loss, mean, "greater") if asks_release else None,
        breach_p=_margin_p(loss, mean, "less") if asks_release else None,
        gold=gold,
    )
    return AccuracyFindings(numbers, str(entry.margin), _notes(evidence, entry, gold), mean, loss.margin)


def loss_of(evidence: Evidence, higher_is_better: bool, entry: AccuracyEntry) -> Loss:
    """The differences in the scale of the tests, with the entry's margin in it.

    A perplexity or bits a byte is tested as what it is made of, log-likelihood a unit of weight: a perplexity may rise from R
    to R + m where the mean falls by ln((R + m)/R) at most, bits by m where it falls by m·ln 2.
    """
    way = evidence.way
    sign = 1 if way.likelihood or higher_is_better else -1
    reference = _number(evidence, evidence.a)
    margin = entry.margin.of(reference)
    if way.is_ratio:
        margin = math.log1p(margin / reference) if reference > 0 else 0.0
    elif way.likelihood:
        margin *= math.log(2)
    weights = None if evidence.is_even else evidence.weights
    return Loss(
        sign * (evidence.b - evidence.a),
        sign,
        margin,
        evidence.is_even and evidence.is_binary,
        evidence.in_unit_interval,
        evidence.clusters,
        weights,
    )


def _detect_p(evidence: Evidence, loss: Loss, mean: PairedMean | None) -> float | None:
    """One-sided, H0: no worse. None of log-likelihoods, whose last digits move: those are tested with a margin, as gold."""
    if mean is None:
        return mcnemar(loss.lost, loss.gained, "less")
    if evidence.way.likelihood:
        return None
    if loss.binary:
        return clustered_sign_test(unit_sums(loss.values, loss.clusters), "less")
    return mean_p(mean, 0.0 if evidence.is_binary else -ROUNDING, "less")


def _margin_p(loss: Loss, mean: PairedMean | None, alternative: Any) -> float:
    """`greater`: of a loss of the margin or more; `less`: of one of the margin or less."""
    null = -min(loss.margin, 1.0) if loss.unit_interval else -loss.margin
    if mean is None:
        return difference_p(loss.lost, loss.gained, len(loss.values), null, alternative)
    if loss.binary:
        return clustered_difference_p(loss.values, mean, null, alternative)
    return mean_p(mean, null, alternative, loss.unit_interval)


def _interval(
    evidence: Evidence, loss: Loss, mean: PairedMean | None, reference: float, policy: Policy
) -> tuple[float | None, float | None]:
    """Of candidate - reference in the metric's own unit; each end one-sided at the policy's confidence."""
    confidence = 2 * policy.confidence - 1
    if mean is None:
        ends = difference_interval(loss.lost, loss.gained, len(evidence), confidence)
    elif loss.binary:
        ends = clustered_difference_interval(loss.values, mean, confidence)
    else:
        ends = mean_interval(mean, confidence, loss.unit_interval)
    start = math.fsum(evidence.weights * evidence.a)
    return in_metric(ends, lambda end: evidence.way.number(start + loss.sign * end) - reference)


def in_metric(ends: tuple[float | None, float | None], turned: Any) -> tuple[float | None, float | None]:
    """Both ends through a function that may turn their order."""
    if ends[0] is None or ends[1] is None:
        return None, None
    found = sorted(turned(end) for end in ends)
    return found[0], found[1]


def _gold(evidence: Evidence, entry: AccuracyEntry, policy: Policy) -> GoldNumbers | None:
    """H0: the right answer's log-probability fell by gold_margin a document or less. A perplexity's is its own value."""
    if entry.gold_margin is None:
        return None
    if evidence.way.likelihood:
        differences, what = evidence.b - evidence.a, "the texts' log-likelihood a unit of weight"
    else:
        differences, what = evidence.gold_b - evidence.gold_a, "the right answers' log-probability"
    there = np.isfinite(differences)
    if there.sum() < 2:
        return None
    weights = None if evidence.is_even else evidence.weights[there]
    clusters = None if evidence.clusters is None else evidence.clusters[there]
    mean = paired_mean(differences[there], clusters, weights)
    lower, upper = mean_interval(mean, 2 * policy.confidence - 1)
    return GoldNumbers(
        what=what, n=int(there.sum()), units=mean.units, difference=mean.value, lower=lower, upper=upper,
        margin=entry.gold_margin, p_value=mean_p(mean, -entry.gold_margin, "less"),
    )  # fmt: skip


def _number(evidence: Evidence, side: Any) -> float:
    return float(evidence.way.number(math.fsum(evidence.weights * side)))


def _words(evidence: Evidence, loss: Loss) -> str:
    if loss.alone:
        return "exact McNemar; Tango's score statistic at the margin"
    shared = ", by cluster" if evidence.clusters is not None else ""
    if loss.binary:
        return "exact signs of clusters; Tango's score statistic at the margin, at the effective number of documents"
    return f"t of the mean{' ' + evidence.way.of if evidence.way.of else ''}{shared}"


def _notes(evidence: Evidence, entry: AccuracyEntry, gold: GoldNumbers | None) -> tuple[str, ...]:
    notes = list(evidence.notes)
    if entry.gold_margin is not None and gold is None:
        notes.append("gold log-probabilities are not kept of this task on both sides: not tested")
    if gold is not None and gold.n < len(evidence):
        notes.append(f"log-probabilities are known of {gold.n:,} of {len(evidence):,} documents")
    return tuple(notes)
