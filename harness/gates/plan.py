"""What a policy asks of a pair of sides, row by row, before anything is tested: which task and score, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from harness.compare.items import ScoreKey, Side, TaskResult
from harness.compare.primary import keys_of_task, primary_key
from harness.gates.decision import Status
from harness.gates.loading import PolicyFile, matching
from harness.gates.outcome import Kind, PairNames
from harness.gates.policy import AccuracyEntry
from harness.metrics.task_metadata import UNIT_INTERVAL_METRICS
from harness.records.record import Record
from zoo.yaml_nodes import YamlPath

Absent = tuple[Status, str]
"""The status of a row that nothing could be tested of, and why."""


@dataclass(frozen=True)
class Pair:
    """Two sides, and what could not be read of them: (side, task) → why, of records newer than the one that is there."""

    a: Side
    b: Side
    unreadable: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """Side (`a`, `b`) and task."""
    no_candidate: str | None = None
    """Why there is no candidate at all, in words; its side then holds nothing."""

    @property
    def names(self) -> PairNames:
        """As they are shown."""
        against = self.a.word if self.a.kind == "baseline" else self.a.name
        return PairNames(self.b.name, against, in_words(self.a), in_words(self.b))


def in_words(side: Side) -> str:
    """A side by its model and where its results come from."""
    return f"{side.name}, {side.where}" if side.where else side.word


@dataclass(frozen=True)
class Planned:
    """A row of the plan: an entry, a pair and a score of both; or the status that it has without a test."""

    pair: Pair
    entry: AccuracyEntry
    path: YamlPath
    """Of the entry in the policy's file."""
    key: ScoreKey
    a: TaskResult | None = None
    b: TaskResult | None = None
    absent: Absent | None = None

    kind: ClassVar[Kind] = "accuracy"

    @property
    def about(self) -> tuple[str, str, str]:
        """Task, metric and filter."""
        return self.key.task, self.key.metric, self.key.filter

    @property
    def total(self) -> int | None:
        """Documents that the task has in all; None where nobody knows."""
        return self.a.score.total if self.a else None


def planned(file: PolicyFile, pair: Pair) -> tuple[list[Planned], list[str]]:
    """The accuracy rows of a pair, and the entries that do not apply to it. An exact name takes its score from patterns.

    InvalidPolicy where two entries ask about one score, and for a margin that its metric cannot have.
    """
    tasks = tasks_of(pair)
    rows: dict[ScoreKey, Planned] = {}
    idle: list[str] = []
    entries = sorted(enumerate(file.policy.accuracy), key=lambda pair: _is_pattern(pair[1].task))
    for at, entry in entries:
        names = matching(entry.task, tasks)
        if not names and not entry.is_required:
            idle.append(entry.task)
        if not names and entry.is_required:
            names = [entry.task]
        for task in names:
            row = _row(pair, entry, ("accuracy", at), task)
            if (taken := rows.get(row.key)) is None:
                rows[row.key] = row
            elif _is_pattern(taken.entry.task) == _is_pattern(entry.task):
                raise _twice(file, row, taken)
    made = sorted(rows.values(), key=lambda row: row.path[1])
    for row in made:
        _check_margin(file, row)
    return made, idle


def tasks_of(pair: Pair) -> list[str]:
    """The tasks that either side ran or failed at, without those of a group that is there as a whole."""
    sides = (pair.a, pair.b)
    listed = [key.task for side in sides for key in side.results] + [task for side in sides for task in side.failed]
    listed += [task for _, task in pair.unreadable]
    leaves = {leaf for side in sides for result in side.results.values() for leaf in result.record.members}
    return [task for task in dict.fromkeys(listed) if task not in leaves]


def _row(pair: Pair, entry: AccuracyEntry, path: YamlPath, task: str) -> Planned:
    key = _key(pair, entry, task)
    a, b = pair.a.results.get(key), pair.b.results.get(key)
    reasons = [
        told
        for letter, side, result in (("a", pair.a, a), ("b", pair.b, b))
        if (told := _why_missing(side, result, key, entry, pair.unreadable.get((letter, task))))
    ]
    reasons = [pair.no_candidate] if pair.no_candidate else reasons
    absent: Absent | None = ("MISSING", "; ".join(reasons)) if reasons else _unverified(pair, a, b)
    return Planned(pair, entry, path, key, a, b, absent)


def _unverified(pair: Pair, a: TaskResult | None, b: TaskResult | None) -> Absent | None:
    """Numbers of a backend that failed conformance decide nothing."""
    told = [
        f"{in_words(side)} is unverified: {result.record.reason}"
        for side, result in ((pair.a, a), (pair.b, b))
        if result is not None and result.record.status == "unverified"
    ]
    return ("INCOMPARABLE", "; ".join(told)) if told else None


def _key(pair: Pair, entry: AccuracyEntry, task: str) -> ScoreKey:
    """The score that is meant: of those that fit the entry's words the one that stands for the task, common ones first."""
    ours, theirs = keys_of_task(pair.a, task), keys_of_task(pair.b, task)
    for keys in ([key for key in ours if key in theirs], ours, theirs):
        fits = [key for key in keys if entry.metric in (None, key.metric) and entry.filter in (None, key.filter)]
        for side in (pair.a, pair.b):
            if fits and fits[0] in side.results and (found := primary_key(side.results[fits[0]].record, fits)):
                return found
    return ScoreKey(task, entry.metric or "", entry.filter or "none")


def _why_missing(
    side: Side, result: TaskResult | None, key: ScoreKey, entry: AccuracyEntry, unreadable: str | None
) -> str | None:
    """Why a side has no number to compare; None where it has one."""
    name = in_words(side)
    if unreadable is not None:
        return f"{name}: the record cannot be read ({unreadable})"
    if (record := side.failed.get(key.task)) is not None:
        return f"{name}: {_failure(record)}"
    if result is None:
        has = keys_of_task(side, key.task)
        listed = ", ".join(f"{one.metric} ({one.filter})" for one in has)
        return (
            f"{name} has no {key.metric} ({key.filter}) of it, but {listed}" if has else f"{name} has no record of it"
        )
    if result.score.value is None:
        return f"{name}: {key.metric} has no finite value"
    if result.record.source == "imported" and entry.accept == "measured":
        return f"{name} is imported, and the entry accepts what minizoo measured (`accept: imported` takes it)"
    if result.items is None and not result.record.members:
        return f"{name} has its number but not its samples, without which nothing is paired"
    return None


def _failure(record: Record) -> str:
    why = f"{record.reason or 'no reason recorded'} ({record.code or 'unspecified'})"
    if record.status == "unverified":
        return f"its result is unverified: {record.reason}"
    if record.status == "infra_failed":
        return f"the infrastructure failed, which says nothing of the model: {why}"
    return f"the run failed: {why}"


def _check_margin(file: PolicyFile, row: Planned) -> None:
    """A margin of a point or more than there are, or in points of what has none."""
    margin, metric = row.entry.margin, row.key.metric
    if metric in UNIT_INTERVAL_METRICS and (margin.absolute or 0) >= 1:
        what = f"a margin of {margin.absolute:g} is all there is of {metric}, which lies between 0 and 1"
        raise file.error(
            (*row.path, "margin"), f"{what}.", f"For {margin.absolute:g} points write `{margin.absolute:g}pp`."
        )
    if margin.points and metric and metric not in UNIT_INTERVAL_METRICS:
        what = f"{row.key.task}'s {metric} is not a score from 0 to 1, so its margin is not in points"
        raise file.error((*row.path, "margin"), f"{what}.", "Write a number in its own unit, or `{relative: 1%}`.")


def _twice(file: PolicyFile, row: Planned, taken: Planned) -> Exception:
    what = f"{row.key.task}'s {row.key.metric} is asked about twice, here and at {file.where(taken.path)}"
    return file.error(
        (*row.path, "task"), f"{what}.", "Ask both questions in one entry, or name the task exactly in one."
    )


def _is_pattern(word: str) -> bool:
    return any(mark in word for mark in "*?[")
