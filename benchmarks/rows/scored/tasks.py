"""Which tasks are scored, and which of their documents: chosen by hash, over all leaf tasks of a group together."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.accuracy.plan import task_documents
from harness.lmeval.loading.support import DEFAULT_OUTPUT_TYPE
from harness.lmeval.loading.tasks import LoadedTask, leaf_configs, load_tasks
from harness.lmeval.prompts import Document, choose, digest_of, keys_of
from harness.suites.suite import Suite, load_suite, suite_of
from zoo.checkpoint.model_ref import ModelRef
from zoo.errors import InvalidData

PAPER, SHIPPED = "paper", "nano"
"""The suite of the papers, and the one whose documents are made by seed, so that it needs no data."""
SCORED = {"multiple_choice", "loglikelihood"}
"""Output types of tasks whose documents are pairs of a context and an ending."""
MOST_DOCUMENTS = 2000
"""Of a task: requests of more would be hundreds of megabytes between processes."""
FIRST = 2
"""Documents by which a pace is measured."""

Request = tuple[int, str, str]
"""Number of the document, context, ending."""


@dataclass(frozen=True)
class Skipped:
    """A task that is not scored, and why."""

    task: str
    reason: str


@dataclass(frozen=True)
class Wanted:
    """The tasks to score, each as a suite of it alone, and what is to be known of the choice."""

    suites: tuple[Suite, ...]
    skipped: tuple[Skipped, ...] = ()
    note: str | None = None


def wanted(names: Sequence[str], model: ModelRef, data: Path | None) -> Wanted:
    """The tasks of those names with the shots of the papers' suite; without names, those that the model's suite scores.

    Without a mirror of the data the shipped suite stands for the papers'. Raises UnknownTask.
    """
    if names:
        found = {name: _suite_with(name) for name in names}
        refused = {name: why for name, suite in found.items() if (why := _unscored(suite))}
        scored = tuple(suite for name, suite in found.items() if name not in refused)
        return Wanted(scored, tuple(Skipped(name, why) for name, why in refused.items()))
    own = SHIPPED if model.entry and model.entry.suite == SHIPPED else PAPER
    taken = SHIPPED if data is None else own
    whole = load_suite(taken)
    each = [whole.model_copy(update={"tasks": (entry,)}) for entry in whole.tasks]
    note = None if taken == own else "no data (--data) for the tasks of the papers: the shipped tasks instead"
    return Wanted(tuple(suite for suite in each if not _unscored(suite)), note=note)


@dataclass(frozen=True)
class ChosenDocument:
    """A document of a task: its number among those of all leaf tasks, and lm-eval's requests for it."""

    number: int
    leaf: str
    document: Document

    @property
    def requests(self) -> list[Request]:
        """Its contexts and endings."""
        return [(self.number, *instance.args) for instance in self.document.instances]

    @property
    def characters(self) -> int:
        """Of its requests: what the time that it takes goes by."""
        return sum(len(context) + len(ending) for _, context, ending in self.requests)


class TaskPart:
    """A task with its data, of which a part is scored. A smaller part is within a larger one."""

    def __init__(self, suite: Suite, leaves: Sequence[LoadedTask], version: str) -> None:
        self.suite = suite
        self.name = suite.tasks[0].task
        self.leaves = tuple(leaves)
        self.version = version
        docs = {leaf.name: list(leaf.task.eval_docs) for leaf in leaves}
        self._keys = [key for each in docs.values() for key in keys_of(each)]
        self._begins = dict(zip(docs, _sums(len(each) for each in docs.values()), strict=True))

    @property
    def of(self) -> int:
        """Documents of the whole task, all leaf tasks together."""
        return len(self._keys)

    @property
    def members(self) -> tuple[str, ...]:
        """The leaf tasks of a group; nothing for a task."""
        return () if [leaf.name for leaf in self.leaves] == [self.name] else tuple(leaf.name for leaf in self.leaves)

    @property
    def shots(self) -> int:
        """Few-shot examples; of a group the most of its leaf tasks."""
        return max(leaf.shots for leaf in self.leaves)

    def first(self, count: int) -> set[int]:
        """The numbers of the first documents by hash."""
        return choose(self._keys, count)

    def documents(self, count: int) -> list[ChosenDocument]:
        """The first documents by hash with their requests, in the order of their numbers.

        As the rule that chooses among the documents of a leaf task is the one that chooses among all, a leaf's part of the
        choice is its own first ones. Raises InvalidTask where the data does not suit the task.
        """
        numbers = self.first(count)
        ends = [*list(self._begins.values())[1:], self.of]
        counts = Counter(bisect_right(ends, number) for number in numbers)
        found = [
            ChosenDocument(self._begins[leaf.name] + document.doc_id, leaf.name, document)
            for place, leaf in enumerate(self.leaves)
            if counts[place]
            for document in task_documents(replace(leaf, limit=counts[place]))[0]
        ]
        assert {one.number for one in found} == numbers
        return found

    def digest(self, chosen: Sequence[ChosenDocument]) -> str:
        """A digest of the task's text and of every request; of a group over those of its leaf tasks."""
        digests = {
            leaf.name: digest_of(leaf.task, (one.document for one in chosen if one.leaf == leaf.name))
            for leaf in self.leaves
        }
        if not self.members:
            return digests[self.name]
        return hashlib.sha256("".join(f"{name}|{digest}\n" for name, digest in digests.items()).encode()).hexdigest()


def load_part(suite: Suite, data: Path | None) -> TaskPart:
    """The one task of that suite with its data. Raises what `load_tasks` raises, and InvalidData for a task of no documents."""
    loaded = load_tasks(suite, data, keep_lost=True)
    if loaded.lost:
        raise loaded.lost[0].error
    name = suite.tasks[0].task
    versions = [group.version for group in loaded.groups if group.name == name]
    leaves = list(loaded.tasks.values())
    versions += [leaf.task.VERSION for leaf in leaves if leaf.name == name]
    part = TaskPart(suite, leaves, str(versions[0]) if versions else "")
    if not part.of:
        raise InvalidData(f"Task {name} has no documents.", "Fetch its data again.")
    return part


def within(part: TaskPart, first: Sequence[ChosenDocument], seconds: float, share: float) -> list[ChosenDocument]:
    """As many documents as an engine answers in `share` seconds, at least one, if `first` took it that many `seconds`.

    By the pace in documents, and as these differ in length, by the pace in characters too: whichever allows fewer.
    """
    guess = min(max(1, int(len(first) * share / seconds)), part.of, MOST_DOCUMENTS)
    chosen = part.documents(guess)
    sizes = {one.number: one.characters for one in chosen}
    pace = seconds / sum(one.characters for one in first)
    fits = bisect_right(range(1, guess + 1), share, key=lambda count: pace * sum(sizes[n] for n in part.first(count)))
    return only(chosen, part.first(max(1, fits)))


def only(chosen: Iterable[ChosenDocument], numbers: Collection[int]) -> list[ChosenDocument]:
    """The documents of those numbers."""
    return [one for one in chosen if one.number in numbers]


def requests_of(chosen: Iterable[ChosenDocument]) -> list[Request]:
    """Every request of the documents."""
    return [request for one in chosen for request in one.requests]


def _suite_with(name: str) -> Suite:
    """A suite of that task alone: as the papers' suite has it, or the shipped one, else with its own shots."""
    for suite in (load_suite(PAPER), load_suite(SHIPPED)):
        if (entry := suite.entry(name)) is not None:
            return suite.model_copy(update={"tasks": (entry,)})
    return suite_of((name,), None)


def _unscored(suite: Suite) -> str | None:
    """Why a suite's task is not scored here; None where it is."""
    kinds = {config.get("output_type", DEFAULT_OUTPUT_TYPE) for config in leaf_configs(suite, suite.tasks[0])}
    others = ", ".join(sorted(map(str, kinds - SCORED)))
    return f"it is no choice among endings by log-likelihood ({others})" if others else None


def _sums(counts: Iterable[int]) -> list[int]:
    """What stands before each."""
    found, total = [], 0
    for count in counts:
        found.append(total)
        total += count
    return found
