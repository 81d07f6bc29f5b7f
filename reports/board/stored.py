"""Which models the store has, and by which words their records name each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.records.trained_on import tasks_trained_on
from harness.store.query import Reader
from reports.board.model import ModelFacts

MODELS = """
SELECT model, arg_max(subject, finished_at) AS subject, arg_max(kind, finished_at) AS kind,
       arg_max(parent, finished_at) AS parent, list(DISTINCT subject ORDER BY subject) AS subjects,
       list(DISTINCT given_name ORDER BY given_name) AS given, list(DISTINCT location ORDER BY location) AS locations
FROM records GROUP BY model ORDER BY model
"""
CONTEXTS = """
SELECT model, arg_max(CAST(json_extract_string(record, '$.context') AS BIGINT), finished_at) AS context
FROM records WHERE kind <> 'registry' AND json_extract_string(record, '$.context_assumed') IS NULL GROUP BY model
"""
"""The context that a model's own files state."""


TRAINED = """
SELECT DISTINCT model, unnest(json_extract_string(record, '$.subject.distilled.trained_on[*]')) AS task
FROM records WHERE kind = 'folder' AND contains(record, '"trained_on":["')
"""
"""Tasks whose text a folder says that it was trained on."""


@dataclass(frozen=True)
class Stored:
    """What the records say of a model."""

    model: str
    """As it is shown."""
    subject: str
    """The id that it was resolved to."""
    is_folder: bool = False
    parent: str | None = None
    """As the newest record that has one names it."""
    context: int | None = None
    trained_on: frozenset[str] = frozenset()
    """Tasks whose own text it, or what it was made from, was trained on."""
    names: frozenset[str] = frozenset()
    """Every word by which another record may name it."""


def stored_models(reader: Reader) -> list[Stored]:
    """Every model that the store has a record of, failures and speed too."""
    contexts = {row["model"]: row["context"] for row in reader.rows(CONTEXTS)}
    told: dict[str, list[str]] = defaultdict(list)
    for row in reader.rows(TRAINED):
        told[row["model"]].append(row["task"])
    return [
        Stored(
            model=row["model"],
            subject=row["subject"],
            is_folder=row["kind"] == "folder",
            parent=row["parent"],
            context=contexts.get(row["model"]),
            trained_on=tasks_trained_on(
                row["parent"] if row["kind"] == "folder" else row["subject"], told[row["model"]]
            ),
            names=frozenset(filter(None, [row["model"], *row["subjects"], *row["given"], *row["locations"]])),
        )
        for row in reader.rows(MODELS)
    ]


def shown_by(models: Iterable[Stored]) -> Mapping[str, tuple[str, ...]]:
    """Word → the names under which the models of that word are shown; several where one name has two sets of weights."""
    found: dict[str, list[str]] = defaultdict(list)
    for stored in models:
        for name in stored.names:
            found[name].append(stored.model)
    return {name: tuple(shown) for name, shown in found.items()}


def parents_of(model: ModelFacts, shown: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The names under which the store shows a model's parent; `shown` as `shown_by` makes it."""
    named = shown.get(model.parent, ()) if model.parent else ()
    return tuple(name for name in named if name != model.id)
