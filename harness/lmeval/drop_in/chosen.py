"""Which documents of a task lm-eval's own evaluator ran, told from the task object that it leaves behind."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.lmeval.loading.tasks import LoadedTask
from harness.lmeval.prompts import Document, keys_of
from harness.lmeval.requests import in_order
from zoo.errors import TaskFailed


@dataclass(frozen=True)
class Chosen:
    """The documents of a leaf task that were run."""

    documents: list[Document]
    total: int
    named: bool
    """By `--samples`; else they are the first ones."""

    @property
    def whole(self) -> bool:
        """Whether they are all."""
        return len(self.documents) == self.total

    @property
    def words(self) -> str:
        """Which of its documents were run."""
        n, places = len(self.documents), [document.doc_id for document in self.documents]
        if self.whole:
            return "all"
        return f"{n} named ones: {places}" if self.named else f"the first {n:,} of {self.total:,}"

    @property
    def departures(self) -> list[str]:
        """Why a score of them says little of the whole task; nothing where they are the whole."""
        kind = "named ones" if self.named else "the first ones"
        told = f"{len(self.documents):,} of {self.total:,} documents were run, {kind} and not drawn at random"
        return [] if self.whole else [told]


def chosen_documents(loaded: LoadedTask, named: Sequence[int] | None) -> Chosen:
    """The documents that lm-eval ran, with their answered requests, numbered by their place in the data set.

    lm-eval numbers the documents of `--samples` from 0, in the order of the data set. TaskFailed where the requests are not
    those of the documents: its request cache does not know which documents were named.
    """
    found: dict[int, list[Any]] = {}
    for instance in loaded.task.instances:
        found.setdefault(instance.doc_id, []).append(instance)
    places = sorted(set(named)) if named else list(range(len(found)))
    docs = list(itertools.islice(loaded.task.eval_docs, places[-1] + 1))
    keys = keys_of(docs)
    asked = [key for key, _ in keys_of([found[at][0].doc for at in sorted(found)])]
    if sorted(found) != list(range(len(places))) or asked != [keys[place][0] for place in places]:
        raise TaskFailed(
            f"Task {loaded.name}: lm-eval took its requests from a cache of other documents, so its number is of none.",
            "Run it again with --cache_requests refresh, or without.",
        )
    documents = [Document(place, docs[place], *keys[place], in_order(found[at])) for at, place in enumerate(places)]
    return Chosen(documents, len(loaded.task.eval_docs), bool(named))
