"""What the whole plan makes of its rows: p-values adjusted over it (Holm), each row decided, known regressions muted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from harness.gates import words
from harness.gates.decision import Answers, Detect, Release, Status, decide
from harness.gates.loading import PolicyFile
from harness.gates.mutes import muted
from harness.gates.outcome import Family, Findings, GateOutcome, Numbers, Verdict
from harness.gates.plan import Absent, Planned
from harness.gates.policy import Policy
from harness.gates.speed import PlannedSpeed
from harness.stats.paired.holm import holm

Row = Planned | PlannedSpeed
UNCALIBRATED = (
    "uncalibrated: nobody has run identical code again here to see how many answers flip "
    "(`minizoo gate --calibrate N`); the tests hold without it."
)


def judge(
    file: PolicyFile, rows: Sequence[Row], found: Sequence[Findings | Absent], flips: Mapping[str, float] | None = None,
    today: date | None = None, notes: Sequence[str] = (),
) -> GateOutcome:  # fmt: skip
    """The verdicts of a whole plan: `found` has what the tests of each row gave, or why there are none.

    `flips`: task → share of documents that identical code was seen to change; None where nobody has looked.
    """
    made, families = _adjusted(file.policy, rows, found)
    verdicts = [
        _absent(file, row, *one) if isinstance(one, tuple) else _verdict(file, row, one, families, flips)
        for row, one in zip(rows, made, strict=True)
    ]
    verdicts, told = muted(file.policy, verdicts, today or datetime.now(UTC).date())
    calibration = () if flips is not None else (UNCALIBRATED,)
    return GateOutcome(file.policy, tuple(verdicts), families, (*notes, *told, *calibration))


def _adjusted(
    policy: Policy, rows: Sequence[Row], found: Sequence[Findings | Absent]
) -> tuple[list[Findings | Absent], dict[str, Family]]:
    """Every p-value adjusted over the plan's tests of its kind. A row that is missing keeps its place, with p = 1."""
    made = list(found)
    alphas = {"accuracy": policy.alpha.accuracy, "gold": policy.alpha.gold, "speed": policy.alpha.speed}
    alphas["release"] = 1 - policy.confidence
    families: dict[str, Family] = {}
    for name, alpha in alphas.items():
        told = {at: _p_value(name, row, found[at]) for at, row in enumerate(rows)}
        p_values = {at: p_value for at, p_value in told.items() if p_value is not None}
        families[name] = Family(alpha, len(p_values))
        for at, adjusted in zip(p_values, holm(list(p_values.values())), strict=True):
            if not isinstance(one := made[at], tuple):
                made[at] = replace(one, numbers=_with_adjusted(name, one.numbers, adjusted))
    return made, families


def _p_value(name: str, row: Row, found: Findings | Absent) -> float | None:
    """Of a test of that kind, 1 where the row would have had one and nothing could be tested; None where it has none."""
    asks = {
        "accuracy": row.kind == "accuracy" and "detect" in row.entry.ask,
        "speed": row.kind == "speed" and "detect" in row.entry.ask,
        "gold": isinstance(row, Planned) and row.entry.gold_margin is not None,
        "release": "release" in row.entry.ask,
    }
    if not asks[name]:
        return None
    if isinstance(found, tuple):
        return 1.0
    numbers = found.numbers
    if name == "gold":
        return numbers.gold.p_value if numbers.gold else None
    return numbers.breach_p if name == "release" else numbers.detect_p


def _with_adjusted(name: str, numbers: Numbers, adjusted: float) -> Numbers:
    if name == "release":
        return replace(numbers, breach_adjusted=adjusted)
    if name == "gold" and numbers.gold:
        return replace(numbers, gold=replace(numbers.gold, p_adjusted=adjusted))
    return replace(numbers, detect_adjusted=adjusted)


def _verdict(
    file: PolicyFile, row: Row, found: Findings, families: Mapping[str, Family], flips: Mapping[str, float] | None
) -> Verdict:
    policy = file.policy
    alarms = _alarms(row, found.numbers, families)
    kind = row.kind if found.numbers.detect_p is not None else "gold"
    alpha = families[kind].first_step
    answers = Answers(_detect(policy, row, found, alarms, alpha, flips), _release(policy, row, found.numbers))
    status = decide(answers)
    if status == "UNDERPOWERED":
        needs = found.needed(1 - policy.confidence if answers.release else alpha, policy.power)
        found = replace(found, numbers=replace(found.numbers, needs=needs))
    told = words.reason(found, answers, status, alarms, row.total)
    return Verdict(
        row.pair.names, row.kind, *row.about, row.entry.tier, row.entry.ask, status, told, found.numbers, alarms,
        where=file.where(row.path),
    )  # fmt: skip


def _alarms(row: Row, numbers: Numbers, families: Mapping[str, Family]) -> tuple[str, ...]:
    """The tests that found a loss."""
    adjusted = {
        row.kind: numbers.detect_adjusted,
        "gold": numbers.gold.p_adjusted if numbers.gold else None,
        "release": numbers.breach_adjusted,
    }
    return tuple(name for name, p_value in adjusted.items() if p_value is not None and p_value <= families[name].alpha)


def _detect(
    policy: Policy, row: Row, found: Findings, alarms: Sequence[str], alpha: float, flips: Mapping[str, float] | None
) -> Detect | None:
    if "detect" not in row.entry.ask:
        return None
    if {row.kind, "gold"} & set(alarms):
        return "alarm"
    flipped = flips.get(row.about[0]) if flips else None
    if "release" in row.entry.ask:  # which then tells whether a loss could have been missed
        return "quiet"
    return "quiet" if found.would_find(alpha, policy.power, flipped) else "too few"


def _release(policy: Policy, row: Row, numbers: Numbers) -> Release | None:
    if "release" not in row.entry.ask:
        return None
    if numbers.breach_adjusted is not None and numbers.breach_adjusted <= 1 - policy.confidence:
        return "beyond"
    within = numbers.release_p is not None and numbers.release_p <= 1 - policy.confidence
    return "within" if within else "straddles"


def _absent(file: PolicyFile, row: Row, status: Status, why: str) -> Verdict:
    return Verdict(
        row.pair.names, row.kind, *row.about, row.entry.tier, row.entry.ask, status, why, where=file.where(row.path)
    )  # fmt: skip
