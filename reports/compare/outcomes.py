"""What each model got right, document by document, small enough to stand in a page whose script compares any two models.

Documents of a task are numbered in the order in which they are met over all models, so that a place means the same document
for each. A model's outcome is a bit a document; which documents it has is another, left out where it has all; and how it was
asked is a number a document, equal only where the requests' hashes are (left out where every number is 0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.compare.aggregates import MEAN, SAME, aggregate_of
from harness.compare.conditions import CONDITIONS, ran_whole_task
from harness.compare.groups import group_results, group_weights
from harness.compare.items import Items, ScoreKey, Side, TaskResult
from harness.compare.primary import keys_of_task, primary_key
from harness.records.record import Record

UNKNOWN = 255
"""How a document was asked, where no hash of its requests was kept: equal to nothing."""
NO_SAMPLES = "the samples are not there"
NOT_BINARY = "its documents are not each right or wrong, counting alike"
SHARED = "its documents share sources, and are tested by those"
TWICE = "a document stands in its samples twice"
ASKED = "its documents were asked in too many ways"
UNLIKE = "the tasks of the group were not run alike"

DocumentKey = tuple[str, str, int]
"""Leaf task, hash, which of those with that hash."""


@dataclass(frozen=True)
class Outcome:
    """One model's documents of a task by one metric: places, and of each whether it was right and how it was asked."""

    places: Any
    """int32."""
    right: Any
    """bool."""
    asked: Any
    """uint8."""
    chance: float | None
    n: int


@dataclass(frozen=True)
class Entry:
    """A metric of a task of a model: its outcome, or in words why there is none here."""

    key: ScoreKey
    higher_is_better: bool | None
    outcome: Outcome | str


@dataclass(frozen=True)
class TaskOutcomes:
    """What a model has of a task: metrics, the one that stands for it first, and what the comparison asks of the record."""

    task: str
    run_id: str
    whole: bool
    cut: int
    """Prompts that were cut to fit."""
    conditions: Mapping[str, str | None]
    entries: tuple[Entry, ...]


@dataclass
class Documents:
    """The documents of one task as they are met, and the hashes of what each was asked."""

    places: dict[DocumentKey, int] = field(default_factory=dict[DocumentKey, int])
    asked: list[dict[str, int]] = field(default_factory=list[dict[str, int]])

    def place(self, key: DocumentKey) -> int:
        """The number of that document."""
        found = self.places.setdefault(key, len(self.places))
        if found == len(self.asked):
            self.asked.append({})
        return found

    def variant(self, place: int, request_hash: str | None) -> int | None:
        """The number of that way to ask the document; None where there are too many."""
        if request_hash is None:
            return UNKNOWN
        known = self.asked[place]
        found = known.setdefault(request_hash, len(known))
        return found if found < UNKNOWN else None


class Outcomes:
    """Takes in one side after the other, and keeps no more of it than its outcomes."""

    def __init__(self) -> None:
        self.documents: dict[str, Documents] = {}
        self.models: dict[str, tuple[TaskOutcomes, ...]] = {}
        self.failed: dict[str, tuple[str, ...]] = {}

    def add(self, model: str, side: Side) -> None:
        """Take in the outcomes of a side; tasks that a group of it stands for are in the group."""
        hidden = {task for result in side.results.values() for task in result.record.members}
        tasks = [task for task in dict.fromkeys(key.task for key in side.results) if task not in hidden]
        self.models[model] = tuple(self._task(side, task) for task in tasks)
        self.failed[model] = tuple(task for task in side.failed if task not in tasks)

    def _task(self, side: Side, task: str) -> TaskOutcomes:
        keys = keys_of_task(side, task)
        record = side.results[keys[0]].record
        parts = {key: group_results(side, key) if record.members else [side.results[key]] for key in keys}
        leaves = parts[keys[0]]
        return TaskOutcomes(
            task=task,
            run_id=record.run_id,
            whole=all(map(ran_whole_task, leaves)),
            cut=record.counts.truncated if record.counts else 0,
            conditions=_conditions(side.results[keys[0]], leaves),
            entries=tuple(self._entry(side.results[key], parts[key]) for key in _preferred(record, keys)),
        )

    def _entry(self, result: TaskResult, leaves: Sequence[TaskResult]) -> Entry:
        outcome = _obstacle(result, leaves) or self._outcome(result, leaves)
        return Entry(result.key, result.score.higher_is_better, outcome)

    def _outcome(self, result: TaskResult, leaves: Sequence[TaskResult]) -> Outcome | str:
        import numpy as np

        known = self.documents.setdefault(result.key.task, Documents())
        places: list[int] = []
        asked: list[int | None] = []
        right: list[Any] = []
        for leaf in leaves:
            items = leaf.items
            if items is None:
                return NO_SAMPLES
            here = [known.place(key) for key in _keys(leaf.key.task, items)]
            places += here
            asked += [known.variant(*pair) for pair in zip(here, items.request_hash.tolist(), strict=True)]
            right.append(items.value == 1)
        if len(set(places)) < len(places):
            return TWICE
        if None in asked:
            return ASKED
        return Outcome(
            np.array(places, dtype=np.int32),
            np.concatenate(right),
            np.array(asked, dtype=np.uint8),
            result.score.chance,
            result.score.n,
        )


def _keys(task: str, items: Items) -> list[DocumentKey]:
    return [(task, name, number) for name, number in zip(items.doc_hash, items.occurrence.tolist(), strict=True)]


def _preferred(record: Record, keys: Sequence[ScoreKey]) -> list[ScoreKey]:
    """The metrics of a task, the one that stands for it first, then the one that would if that were not there."""
    rest, ordered = list(keys), list[ScoreKey]()
    while (first := primary_key(record, rest)) is not None:
        ordered.append(first)
        rest.remove(first)
    return ordered


def _conditions(result: TaskResult, leaves: Sequence[TaskResult]) -> dict[str, str | None]:
    """What must be equal on both sides; of a group, of each of its tasks, and which those are."""
    told = [{words: _words(of(leaf.record)) for words, of in CONDITIONS.items()} for leaf in leaves] or [{}]
    members = result.record.members
    group = {"the group has other tasks": f"{len(members):,} tasks, {' '.join(sorted(members))}"} if members else {}
    return {
        words: value if all(each[words] == value for each in told) else None for words, value in told[0].items()
    } | group


def _words(value: Any) -> str | None:
    return None if value is None else str(value)


def _obstacle(result: TaskResult, leaves: Sequence[TaskResult]) -> str | None:
    """Why the outcomes cannot be compared by counting alone; None where they can."""
    if len(leaves) != max(1, len(result.record.members)):
        return UNLIKE
    for leaf in leaves:
        if (why := _obstacle_of_leaf(leaf)) is not None:
            return why
    if not result.record.members:
        return None
    if any(len({of(leaf.record) for leaf in leaves}) > 1 for of in CONDITIONS.values()):
        return UNLIKE
    weights = group_weights(result, leaves)
    whole = sum(leaf.score.n for leaf in leaves)
    even = weights is not None and all(
        abs(weight - leaf.score.n / whole) <= SAME for weight, leaf in zip(weights, leaves, strict=True)
    )
    return None if even else NOT_BINARY


def _obstacle_of_leaf(leaf: TaskResult) -> str | None:
    items = leaf.items
    if items is None:
        return NO_SAMPLES
    if not bool(((items.value == 0) | (items.value == 1)).all()) or aggregate_of(items, leaf.score.value) is not MEAN:
        return NOT_BINARY
    shares = len({name for name in items.cluster if name is not None})
    known = all(name is not None for name in items.cluster)
    if (known and shares < len(items)) or (leaf.score.clusters or leaf.score.n) < leaf.score.n:
        return SHARED
    return None
