"""A verdict's numbers and words as cells of its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.compare.cells import ABSENT, chance, interval, score, signed

if TYPE_CHECKING:
    from harness.gates.outcome import GateOutcome, Numbers, Verdict


def ordered(outcome: GateOutcome) -> list[Verdict]:
    """The gravest verdicts first, in the order of the plan within each status."""
    from harness.gates.decision import STATUSES

    return sorted(outcome.verdicts, key=lambda verdict: STATUSES.index(verdict.status))


def metric_words(verdict: Verdict) -> str:
    """Metric and filter; of speed metric and device."""
    return verdict.metric if verdict.filter in ("", "none") else f"{verdict.metric}, {verdict.filter}"


def interval_words(outcome: GateOutcome) -> str:
    """The heading of intervals: each end holds one-sided at the policy's confidence."""
    return f"{100 * (2 * outcome.policy.confidence - 1):.3g} % interval"


def score_cells(verdict: Verdict) -> list[str]:
    """n, reference, candidate."""
    numbers = verdict.numbers
    if numbers is None:
        return [ABSENT] * 3
    return [f"{numbers.n:,}", score(numbers.reference), score(numbers.candidate)]


def difference_cells(verdict: Verdict) -> list[str]:
    """Difference, its interval, margin."""
    numbers = verdict.numbers
    if numbers is None:
        return [ABSENT] * 3
    if verdict.kind == "speed":
        ends = [_per_cent(numbers.lower), _per_cent(numbers.upper)]
        between = ABSENT if ABSENT in ends else " … ".join(ends)
        return [_per_cent(numbers.difference), between, f"{100 * numbers.margin:.3g} %"]
    return [signed(numbers.difference), interval(numbers.lower, numbers.upper), f"{numbers.margin:.4g}"]


def flip_cells(numbers: Numbers | None) -> list[str]:
    """Lost and gained."""
    if numbers is None or numbers.lost is None:
        return [ABSENT] * 2
    return [f"{numbers.lost:,}", f"{numbers.gained:,}"]


def p_cells(verdict: Verdict) -> list[str]:
    """p and adjusted p: of detect where that is asked, else of a loss beyond the margin."""
    numbers = verdict.numbers
    if numbers is None:
        return [ABSENT] * 2
    if "detect" in verdict.ask:
        return [chance(numbers.detect_p), chance(numbers.detect_adjusted)]
    return [chance(numbers.breach_p), chance(numbers.breach_adjusted)]


def gold_cells(numbers: Numbers | None) -> list[str]:
    """Log-probability gained or lost, its interval, and its adjusted p."""
    gold = numbers.gold if numbers else None
    if gold is None:
        return [ABSENT] * 3
    return [signed(gold.difference), interval(gold.lower, gold.upper), chance(gold.p_adjusted)]


def ended(line: str) -> str:
    """A line with a stop at its end."""
    return line if line.endswith((".", ".)")) else f"{line}."


def _per_cent(value: float | None) -> str:
    return ABSENT if value is None else f"{100 * value:+.2f} %"
