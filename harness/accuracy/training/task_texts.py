"""The documents of suites as plain texts, for whoever looks for them in training data. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.offline import hub_offline
from harness.lmeval.loading.tasks import load_tasks
from harness.suites.suite import Suite, load_suite, suite_names
from zoo.errors import MinizooError


@dataclass(frozen=True)
class TaskTexts:
    """One leaf task: the text of each of its documents, or why there are none."""

    task: str
    texts: tuple[str, ...] = ()
    missing: str | None = None


def texts_of_suites(data: Path | None, more: Sequence[Suite] = ()) -> Iterator[TaskTexts]:
    """The tasks of every suite that comes with minizoo, and of `more`, each once.

    `data` is a mirror of hub data sets; without it what the hub's own cache has is read. A text is all that is written in a
    document: question, passage, choices and answer, whatever prompt a task makes of them.
    """
    seen: set[str] = set()
    for suite in (*more, *map(load_suite, suite_names())):
        entries = tuple(entry for entry in suite.tasks if entry.task not in seen)
        seen |= {entry.task for entry in entries}
        if entries:
            yield from _texts(suite.model_copy(update={"tasks": entries}), data)


def _texts(suite: Suite, data: Path | None) -> Iterator[TaskTexts]:
    try:
        with hub_offline():
            loaded = load_tasks(suite, data, keep_lost=True)
    except MinizooError as error:  # a task's own text: it hides no other suite
        yield from (TaskTexts(entry.task, missing=error.what) for entry in suite.tasks)
        return
    for lost in loaded.lost:
        yield TaskTexts(lost.name, missing=lost.error.what)
    for name, task in loaded.tasks.items():
        yield TaskTexts(name, tuple("\n".join(_words(document)) for document in task.task.eval_docs))


def _words(value: Any) -> Iterator[str]:
    """Every text inside a document, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _words(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _words(inner)
