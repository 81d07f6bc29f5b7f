"""A policy over pairs of sides: the plan, the tests of its rows, the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from harness.compare.evidence import Evidence, evidence_of
from harness.compare.groups import compare_key
from harness.compare.items import ScoreKey, Side
from harness.compare.task import notes_of
from harness.gates.accuracy_tests import find
from harness.gates.judge import Row, judge
from harness.gates.loading import PolicyFile, unfiled
from harness.gates.margins import Margin
from harness.gates.noise.file import NoiseFile
from harness.gates.outcome import Findings, GateOutcome
from harness.gates.plan import Absent, Pair, Planned, in_words, planned
from harness.gates.policy import AccuracyEntry, Policy
from harness.gates.speed import PlannedSpeed, TrialsOf, find_speed, no_trials, planned_speed

NOBODY = "none of the policy's critical entries applies to this pair: what they name is on neither side"


def gate_pairs(
    policy: PolicyFile | Policy,
    pairs: Sequence[tuple[Side, Side] | Pair],
    noise: NoiseFile | None = None,
    today: date | None = None,
    trials_of: TrialsOf = no_trials,
) -> GateOutcome:
    """The answers to every entry for every pair (reference, candidate); no file is read but by `trials_of`.

    `today`, UTC, ends mutes; `noise`: what identical code was seen to do. Raises InvalidPolicy for an entry that cannot be
    asked of these records: a metric whose direction nobody knows, one score asked about twice, a margin that is none.
    """
    file = policy if isinstance(policy, PolicyFile) else unfiled(policy)
    told: list[str] = []
    if noise is not None:
        widened, told = noise.widened(file.policy)
        reruns = f"{len(noise.variations)} re-runs of {noise.model} on {noise.suite} ({noise.device})"
        told.insert(0, f"Calibrated on {noise.made:%Y-%m-%d} by {reruns}.")
        told += _uncalibrated(noise, pairs)
        file = replace(file, policy=widened)
    rows: list[Row] = []
    idle: dict[str, None] = {}
    for pair in (pair if isinstance(pair, Pair) else Pair(*pair) for pair in pairs):
        told += [note for note in (*pair.a.notes, *pair.b.notes, *_doubts(pair)) if note not in told]
        accuracy, unused = planned(file, pair)
        speed, unused_speed = planned_speed(file, pair)
        own: list[Row] = [*accuracy, *speed]
        rows += [*own, *_nobody(file, pair, own)]
        idle |= dict.fromkeys([*unused, *unused_speed])
    found = [row.absent or findings(file, row, trials_of) for row in rows]
    told += [f"Not in the plan, for neither side has it: {', '.join(idle)}."] if idle else []
    return judge(file, rows, found, noise.flips if noise else None, today, told)


def findings(file: PolicyFile, row: Row, trials_of: TrialsOf = no_trials) -> Findings | Absent:
    """The tests of one row; or the status that it has without any, and why."""
    if isinstance(row, PlannedSpeed):
        return find_speed(row, file.policy, trials_of)
    known = {result.score.higher_is_better for result in (row.a, row.b) if result} - {None}
    if len(known) == 2:
        return "INCOMPARABLE", f"the two sides do not agree whether more {row.key.metric} is better"
    evidence = _evidence(row)
    if isinstance(evidence, str):
        return "INCOMPARABLE", evidence
    if evidence.way.likelihood:
        _check_likelihood(file, row)
    elif not known:
        what = f"nobody knows whether more {row.key.metric} of {row.key.task} is better or worse"
        raise file.error((*row.path, "task"), f"{what}: its records do not say.", "Ask about another metric.")
    found = find(evidence, known != {False}, row.entry, file.policy)
    told = notes_of(row.a, row.b, evidence) if row.a and row.b else ()
    return replace(found, notes=tuple(dict.fromkeys([*found.notes, *told])))


def _uncalibrated(noise: NoiseFile, pairs: Sequence[tuple[Side, Side] | Pair]) -> list[str]:
    """What was not run again itself: candidates of another model, or on another device."""
    sides = [pair.b if isinstance(pair, Pair) else pair[1] for pair in pairs]
    made = {(side.name, result.record.setting.device) for side in sides for result in side.results.values()}
    others = sorted(f"{name} on {device}" for name, device in made - {(noise.model, noise.device)})
    return [f"Not calibrated: {', '.join(others)}. What {noise.model} showed is taken for it."] if others else []


def _doubts(pair: Pair) -> list[str]:
    return [f"{in_words(side)}: {side.doubt}" for side in (pair.a, pair.b) if side.doubt]


def _evidence(row: Planned) -> Evidence | str:
    """The documents in common; or why the two must not be compared."""
    if row.a and row.b and not row.a.record.members and not row.b.record.members:
        return evidence_of(row.a, row.b)
    compared = compare_key(row.pair.a, row.pair.b, row.key)
    return compared.evidence or compared.refused or "the two were not compared"


def _check_likelihood(file: PolicyFile, row: Planned) -> None:
    if "detect" in row.entry.ask and row.entry.gold_margin is None:
        what = f"detect of {row.key.metric}, which is made of log-likelihoods, would alarm at the last digit"
        raise file.error((*row.path, "ask"), f"{what}.", "Say how much may change: `gold_margin: 0.002`.")


def _nobody(file: PolicyFile, pair: Pair, rows: Sequence[Row]) -> list[Planned]:
    """The row of a pair to which no critical entry applies, though the policy has some: it must not pass in silence."""
    listed = [("accuracy", at, entry) for at, entry in enumerate(file.policy.accuracy)]
    critical = [(key, at) for key, at, entry in listed if entry.tier == "critical"]
    critical += [("speed", at) for at, entry in enumerate(file.policy.speed) if entry.tier == "critical"]
    if not critical or any(row.entry.tier == "critical" for row in rows):
        return []
    entry = AccuracyEntry(task="(critical)", tier="critical", ask=("release",), margin=Margin(absolute=0.01))
    return [Planned(pair, entry, critical[0], ScoreKey("(critical)", "", ""), absent=("MISSING", NOBODY))]
