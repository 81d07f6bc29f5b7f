"""Whether a score is of a task whose own text the model was trained on: by the registry as it stands, by the record."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from harness.records.record import Record, Subject
from zoo.registry.loader import load_registry

MARK = "§"
NOTE = "trained on text of this task"
"""What is to be read with such a score, where it has notes."""
TRAINED_ON = f"{MARK} the model was trained on text of this task: the score says what was learnt by heart as well."
"""Under a table in which a score has that mark."""


def trained_on(subject: Subject) -> frozenset[str]:
    """The tasks, by lm-eval's names, whose text the model or one that it was made from was trained on."""
    told = subject.distilled.trained_on if subject.distilled else ()
    return tasks_trained_on(subject.id if subject.entry is not None else subject.parent, told)


def tasks_trained_on(registered: str | None, told: Iterable[str] | None = None) -> frozenset[str]:
    """Of a model by its name in the registry, or its parent's where it is in none, and by what its own folder told."""
    registry = load_registry()
    entry = registry.find(registered) if registered else None
    return frozenset(told or ()) | (registry.trained_on(entry.id) if entry else frozenset())


def was_trained_on(record: Record) -> bool:
    """Whether the record is of such a task, or of a group with one in it."""
    return is_among(trained_on(record.subject), record.task, record.members)


def is_among(tasks: Collection[str], task: str, members: Collection[str] = ()) -> bool:
    """Whether the task, or one that it is a group of, is one of the tasks."""
    return bool(tasks) and not {task, *members}.isdisjoint(tasks)
