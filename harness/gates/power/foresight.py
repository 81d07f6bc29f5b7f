"""Whether a suite would find a loss, task by task: paired and unpaired, by how many documents, in how many nights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache

from harness.gates.policy import Policy
from harness.gates.power.documents import TaskDocuments
from harness.stats.paired.power import paired_detectable, paired_needed, paired_power, unpaired_power

RATES = (0.02, 0.04, 0.10)
"""Shares of documents that change between two runs of one model, where none is said and none was measured."""
USUAL = 0.04
PLAIN = 0.05
SHARE = 0.5
"""Right answers that an unpaired comparison assumes: the worst case."""
FINEST = 1e-6


@dataclass(frozen=True)
class Question:
    """What is asked: would a true loss of `loss` be found?"""

    loss: float
    rates: tuple[float, ...] = RATES
    """Discordances to compute; the middle one of three, or the only one, is what counts of documents rest on."""
    measured: Mapping[str, float] = field(default_factory=dict[str, float])
    """Task → discordance that re-runs of identical code showed; it takes the place of `rates`' middle."""
    power: float = 0.8
    nights: int = 1

    def usual(self, task: str) -> float:
        """The discordance that counts of documents of that task rest on."""
        return self.measured.get(task, self.rates[len(self.rates) // 2])


@dataclass(frozen=True)
class Level:
    """A one-sided error rate, in words too."""

    alpha: float
    told: str


@dataclass(frozen=True)
class Prospect:
    """What one task would show at one level."""

    level: Level
    paired: Mapping[float, float]
    """Discordance → power, of the documents taken on each of the nights together."""
    measured: float | None
    """The same at the discordance that was measured; None where none was."""
    unpaired: float
    needs: int | None
    """Documents with which it is found, at the usual discordance; None: no number."""
    limit: int | None
    """As `--limit` takes it, of each leaf; None where all documents are not enough."""
    nights: int | None
    """With the documents taken, where the noise of both sides is drawn anew each night."""
    nights_of_one_baseline: int | None
    """The same with a baseline that stays; None where no number is enough."""
    least: float | None
    """The smallest loss that all documents of the task would show in one night."""
    never: bool
    """Whether they would not find it even if nothing changed but what is lost."""


@dataclass(frozen=True)
class Foresight:
    """A row: a task and its prospects by level; none where its documents are not known or it has no points to lose."""

    documents: TaskDocuments
    usual: float
    asked: bool
    """Whether an entry of the policy asks it to detect."""
    prospects: Sequence[Prospect]


def levels_of(policy: Policy, tasks: Sequence[str], pairs: int) -> list[Level]:
    """The first step of the policy's plan over so many pairs of sides, and a plain 5 %."""
    tests = pairs * (sum(asks(policy, task) for task in tasks) or len(tasks))
    alpha = policy.alpha.accuracy
    told = f"policy {policy.name}: alpha {alpha:g} over {tests} test{'' if tests == 1 else 's'}"
    return [Level(alpha / tests, told), Level(PLAIN, "a plain 5 %, as if this task were the whole plan")]


def asks(policy: Policy, task: str) -> bool:
    """Whether an entry asks that task to detect."""
    return any("detect" in entry.ask and fnmatchcase(task, entry.task) for entry in policy.accuracy)


def foresee(
    documents: Sequence[TaskDocuments], question: Question, levels: Sequence[Level], policy: Policy
) -> list[Foresight]:
    """A row a task."""
    return [
        Foresight(task, question.usual(task.task), asks(policy, task.task), [
            _prospect(task, task.total, task.taken, question, level) for level in levels
        ] if task.total and task.taken and task.unit_interval else [])
        for task in documents
    ]  # fmt: skip


def _prospect(task: TaskDocuments, total: int, taken: int, question: Question, level: Level) -> Prospect:
    usual, loss, power = question.usual(task.task), question.loss, question.power
    needs = _needed(usual, loss, level.alpha, power)
    n = taken * question.nights
    measured = question.measured.get(task.task)
    return Prospect(
        level=level,
        paired={rate: power_of(n, rate, loss, level.alpha) for rate in question.rates},
        measured=None if measured is None else power_of(n, measured, loss, level.alpha),
        unpaired=unpaired_power(n, SHARE, loss, level.alpha),
        needs=needs,
        limit=math.ceil(needs / task.leaves) if needs is not None and needs <= total else None,
        nights=None if needs is None else math.ceil(needs / taken),
        nights_of_one_baseline=None if needs is None else with_one_baseline(needs / taken),
        least=detectable(total, usual, level.alpha, power),
        never=power_of(total, loss, loss, level.alpha) < power,
    )


def power_of(n: int, discordant: float, loss: float, alpha: float) -> float:
    """The power of exact McNemar; a loss changes as many documents as it is large, whatever identical code changes."""
    return paired_power(n, max(discordant, loss), loss, alpha)


def detectable(n: int, discordant: float, alpha: float, power: float) -> float | None:
    """The smallest loss that `power_of` finds with chance `power`; None where not even losing every document is found."""
    found = paired_detectable(n, discordant, alpha, power)
    if found is not None or power_of(n, discordant, 1.0, alpha) < power:
        return found
    low, high = discordant, 1.0
    while high - low > FINEST:
        middle = (low + high) / 2
        low, high = (low, middle) if power_of(n, discordant, middle, alpha) >= power else (middle, high)
    return high


def with_one_baseline(ratio: float) -> int | None:
    """Nights that count as `ratio` of them where the baseline's own noise stays in each: K nights count 2K/(K + 1).

    Half of the variance of a difference is the baseline's, and only the other half is averaged. None for 2 and more.
    """
    if ratio <= 1:
        return 1
    return math.ceil(ratio / (2 - ratio)) if ratio < 2 else None


@cache
def _needed(discordant: float, loss: float, alpha: float, power: float) -> int | None:
    return paired_needed(max(discordant, loss), loss, alpha, power)
