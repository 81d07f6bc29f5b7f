"""One row of a comparison: a task's metric on both sides, or why the two must not be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.aggregates import MEAN
from harness.compare.conditions import cut_unlike
from harness.compare.evidence import Evidence, evidence_of
from harness.compare.gold import GoldComparison, gold_comparison
from harness.compare.items import ScoreKey, TaskResult
from harness.compare.tested import Tested, tested
from harness.compare.unpaired import Unpaired, unpaired
from harness.records.trained_on import NOTE, was_trained_on
from harness.stats import constants
from harness.stats.paired.retained import Retained, retained

Pair = tuple[TaskResult, TaskResult]


@dataclass(frozen=True)
class TaskComparison:
    """A row. `tested` and all that follows is None where it is `refused`; scores then are the recorded ones."""

    key: ScoreKey
    a_value: float | None
    b_value: float | None
    """On the documents in common."""
    a_n: int
    b_n: int
    """Documents that each side ran."""
    higher_is_better: bool | None = None
    refused: str | None = None
    """Why the two must not be compared, in words."""
    tested: Tested | None = None
    p_holm: float | None = None
    """Adjusted over the rows of the comparison."""
    retained: Retained | None = None
    """What B keeps of A's score, chance taken off where that is known."""
    chance: float | None = None
    gold: GoldComparison | None = None
    unpaired: Unpaired | None = None
    """lm-eval's own."""
    notes: tuple[str, ...] = ()
    evidence: Evidence | None = None

    @property
    def n(self) -> int:
        """Documents in common that were compared."""
        return self.tested.n if self.tested else 0

    @property
    def difference(self) -> float | None:
        """B - A, in the metric's own unit; of a refused row that of the recorded scores."""
        if self.tested:
            return self.tested.difference
        return None if self.a_value is None or self.b_value is None else self.b_value - self.a_value

    @property
    def verdict(self) -> str:
        """In a word: `worse`, `better`, `no difference shown`, `refused`."""
        if self.tested is None:
            return "refused"
        return verdict_of(self.tested.difference, self.p_holm, self.higher_is_better)


def verdict_of(difference: float, p_value: float | None, better: bool | None) -> str:
    """What a test at the rule's confidence says of B; `higher` and `lower` where nobody says which is better."""
    if p_value is None or p_value >= 1 - constants.CONFIDENCE or difference == 0:
        return "no difference shown"
    if better is None:
        return "higher" if difference > 0 else "lower"
    return "better" if (difference > 0) == better else "worse"


def compare_task(a: TaskResult, b: TaskResult) -> TaskComparison:
    """Compare one task's metric, document by document. The p-value is this row's alone: `p_holm` is set over several."""
    return compared(a, b, evidence_of(a, b))


def refused_row(a: TaskResult | None, b: TaskResult | None, key: ScoreKey, why: str) -> TaskComparison:
    """A row that says why nothing is compared."""
    known = a or b
    return TaskComparison(
        key=key,
        a_value=a.score.value if a else None,
        b_value=b.score.value if b else None,
        a_n=a.score.n if a else 0,
        b_n=b.score.n if b else 0,
        higher_is_better=known.score.higher_is_better if known else None,
        refused=why,
        unpaired=unpaired(a, b) if a and b else None,
    )


def compared(a: TaskResult, b: TaskResult, evidence: Evidence | str, leaves: Sequence[Pair] = ()) -> TaskComparison:
    """The row of that evidence, or of the refusal that stands in its place. `leaves`: the pairs of a group's tasks."""
    if isinstance(evidence, str):
        return refused_row(a, b, a.key, evidence)
    better = a.score.higher_is_better if a.score.higher_is_better is not None else b.score.higher_is_better
    found = tested(evidence, better)
    chance = chance_on(a, b)
    kept = evidence.way is MEAN and better is True
    return TaskComparison(
        key=a.key,
        a_value=found.a_value,
        b_value=found.b_value,
        a_n=a.score.n,
        b_n=b.score.n,
        higher_is_better=better,
        tested=found,
        retained=retained_of(evidence, chance) if kept else None,
        chance=chance,
        gold=gold_comparison(evidence),
        unpaired=unpaired(a, b, leaves),
        notes=notes_of(a, b, evidence),
        evidence=evidence,
    )


def chance_on(a: TaskResult, b: TaskResult) -> float | None:
    """What guessing scores, of the side that ran fewer documents: those in common."""
    first, second = sorted((a.score, b.score), key=lambda score: score.n)
    return first.chance if first.chance is not None else second.chance


def retained_of(evidence: Evidence, chance: float | None) -> Retained:
    """What B keeps of A's score; the raw ratio alone where nobody knows what guessing gives."""
    weights = None if evidence.is_even else evidence.weights
    made = retained(evidence.a, evidence.b, chance or 0.0, evidence.clusters, weights, constants.CONFIDENCE)
    return made if chance is not None else Retained(None, None, None, made.raw)


def notes_of(a: TaskResult, b: TaskResult, evidence: Evidence) -> tuple[str, ...]:
    """What else is to be known of the row."""
    whole = len(evidence) + evidence.valueless
    found = [*evidence.notes]
    for name, missing in (("A", evidence.only_a), ("B", evidence.only_b)):
        if missing:
            found.append(f"{whole:,} of {whole + missing:,} documents of {name} in common, the others left out")
    if evidence.valueless:
        found.append(f"{evidence.valueless:,} documents left out that the metric does not count")
    if cut := cut_unlike(a.record, b.record):
        found.append(cut)
    found += [f"{name} was {NOTE}" for name, side in (("A", a), ("B", b)) if was_trained_on(side.record)]
    return tuple(found)
