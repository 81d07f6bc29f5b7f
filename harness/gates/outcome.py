"""What a gate answers: a verdict an entry and pair, with its numbers, and the whole with its exit code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from harness.gates.decision import NOTHING_COMPARED, STATUSES, UNDECIDED, Status, exit_code
from harness.gates.policy import Mute, Policy, Question, Tier

Kind = Literal["accuracy", "speed"]


@dataclass(frozen=True)
class PairNames:
    """Who is compared with whom, as shown."""

    model: str
    """The candidate's."""
    against: str
    """The reference by a name that stays from night to night: a model, or `baseline:NAME`."""
    reference: str
    candidate: str
    """Both in words: `nano-teacher, run 01a2… of 2026-11-30`."""


@dataclass(frozen=True)
class GoldNumbers:
    """Of log-probability, nats an item; difference is candidate - reference."""

    what: str
    """In words: the right answers', or of a perplexity its own texts'."""
    n: int
    units: int
    """Independent ones."""
    difference: float
    lower: float | None
    upper: float | None
    margin: float
    p_value: float
    p_adjusted: float = 1.0
    """By Holm over the plan's tests of its kind."""


@dataclass(frozen=True)
class Numbers:
    """What was seen of an entry. Of accuracy in the metric's own unit; of speed shares, -0.05 is 5 % slower."""

    n: int
    """Documents paired; of speed the pairs of trials, or the trials or files of the smaller side."""
    units: int
    """Independent ones among them."""
    reference: float
    candidate: float
    difference: float
    lower: float | None
    upper: float | None
    """Each end holds at the policy's `confidence`, one-sided."""
    margin: float
    loss: float
    """How much worse the candidate is, in the scale of the tests; below 0 it is better."""
    higher_is_better: bool
    test: str
    """In words."""
    lost: int | None = None
    gained: int | None = None
    """None where documents are not right or wrong."""
    detect_p: float | None = None
    detect_adjusted: float | None = None
    release_p: float | None = None
    """Of the hypothesis that the loss is the margin or more."""
    breach_p: float | None = None
    breach_adjusted: float | None = None
    """Of the hypothesis that it is the margin or less."""
    gold: GoldNumbers | None = None
    needs: int | None = None
    """So many documents (pairs of trials) would tell, if they went on like these; None where it was told."""


@dataclass(frozen=True)
class Findings(ABC):
    """The numbers of a row before what the rest of the plan makes of them, and what its power depends on."""

    numbers: Numbers
    margin: str
    """As it was written, for words."""
    notes: tuple[str, ...]

    @property
    def unit(self) -> str:
        """What is counted."""
        return "documents"

    @abstractmethod
    def would_find(self, alpha: float, power: float, flips: float | None) -> bool:
        """Whether detect at `alpha` had found a loss of the margin with that power. `flips`: the share of documents that
        identical code was seen to change, where that is calibrated."""

    @abstractmethod
    def needed(self, alpha: float, power: float) -> int | None:
        """How many documents or pairs tell a loss of the margin from none at `alpha` with that power; None: not known."""


@dataclass(frozen=True)
class Verdict:
    """One entry's answer for one pair."""

    pair: PairNames
    kind: Kind
    task: str
    """Task, or workload and point."""
    metric: str
    filter: str
    tier: Tier
    ask: tuple[Question, ...]
    status: Status
    reason: str
    """In words, always."""
    numbers: Numbers | None = None
    alarms: tuple[str, ...] = ()
    """What found a loss: `accuracy`, `gold`, `speed`, `release`."""
    mute: Mute | None = None
    where: str = ""
    """`file:line:column` of the entry; empty of a policy that is in no file."""


@dataclass(frozen=True)
class Family:
    """The tests of one kind over the whole plan, which share an alpha by Holm's rule."""

    alpha: float
    tests: int
    """Planned ones: what is missing tonight keeps its place, so that thresholds do not move with it."""

    @property
    def first_step(self) -> float:
        """What the smallest p-value must reach."""
        return self.alpha / self.tests if self.tests else self.alpha


@dataclass(frozen=True)
class GateOutcome:
    """The answers of a whole plan."""

    policy: Policy
    verdicts: tuple[Verdict, ...]
    families: Mapping[str, Family]
    """accuracy, gold, speed (of detect) and release (of breaches)."""
    notes: tuple[str, ...] = ()

    @cached_property
    def exit_code(self) -> int:
        """1 regressed, 3 undecided or nothing compared, else 0; docs/gate.md has the table."""
        return exit_code(((v.tier, v.status) for v in self.verdicts), self.policy.underpowered)

    @cached_property
    def counts(self) -> dict[Status, int]:
        """How many verdicts of each status, the gravest first, none of 0."""
        found = Counter(verdict.status for verdict in self.verdicts)
        return {status: found[status] for status in STATUSES if found[status]}

    @property
    def word(self) -> str:
        """The whole in one word."""
        if self.exit_code == 1:
            return "REGRESSED"
        if self.exit_code == 0:
            return "PASS"
        nothing = all(v.status in NOTHING_COMPARED for v in self.verdicts)
        return "NOTHING COMPARED" if nothing else "UNDECIDED"

    @property
    def headline(self) -> str:
        """The verdict with its counts and the first of what made it, in one line."""
        if not self.verdicts:
            return f"{self.word}: no entry of policy {self.policy.name} applies to what is there"
        told = ", ".join(f"{count} {status}" for status, count in self.counts.items())
        made = self._made_by
        more = f" and {len(made) - 3} more" if len(made) > 3 else ""
        named = "; ".join(f"{v.pair.model} {v.task} ({v.metric})" for v in made[:3])
        return f"{self.word}: {told} of {len(self.verdicts)}" + (f": {named}{more}" if named else "")

    @property
    def _made_by(self) -> list[Verdict]:
        if self.exit_code == 1:
            return [v for v in self.verdicts if v.status == "REGRESSED" and v.tier != "advisory"]
        if self.exit_code == 0:
            return []
        return [v for v in self.verdicts if v.status in UNDECIDED and self.policy.underpowered.fails(v.tier)]

    def told_alpha(self) -> list[str]:
        """How the error rates are split, in lines."""
        policy = self.policy
        shares = [
            f"{kind} {family.alpha:g} over {family.tests} test{'' if family.tests == 1 else 's'}"
            + (f" (first step {family.first_step:.2g})" if family.tests > 1 else "")
            for kind, family in self.families.items()
            if kind != "release"
        ]
        detected = any(self.families[kind].tests for kind in ("accuracy", "gold", "speed"))
        release = self.families["release"]
        split = f"false alarms at most {policy.alpha.total:g} a night over the whole plan, by Holm: {', '.join(shares)}"
        return [
            f"detect: {split if detected else 'asked of nothing'}.",
            f"release: each entry at {100 * policy.confidence:g} %, one-sided; a loss beyond the margin by Holm over "
            f"{release.tests} entr{'y' if release.tests == 1 else 'ies'} at {release.alpha:.2g}."
            if release.tests
            else "release: asked of nothing.",
        ]  # fmt: skip


def document(outcome: GateOutcome) -> dict[str, Any]:
    """The answers as plain values, for JSON."""
    return {
        "policy": outcome.policy.name,
        "verdict": outcome.word,
        "headline": outcome.headline,
        "exit_code": outcome.exit_code,
        "counts": outcome.counts,
        "alpha": {
            kind: {"alpha": family.alpha, "tests": family.tests, "first_step": family.first_step}
            for kind, family in outcome.families.items()
        },
        "confidence": outcome.policy.confidence,
        "power": outcome.policy.power,
        "verdicts": [_verdict(verdict) for verdict in outcome.verdicts],
        "notes": list(outcome.notes),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    numbers = verdict.numbers
    seen = None
    if numbers is not None:
        seen = vars(numbers) | {"gold": vars(numbers.gold) if numbers.gold else None}
    told = vars(verdict) | {"pair": vars(verdict.pair), "ask": list(verdict.ask), "numbers": seen}
    return told | {"mute": verdict.mute.model_dump(mode="json") if verdict.mute else None}
