"""Against which of its parent's results each result is held: of the same column, run as alike as there is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.board.measured import Result
from reports.board.model import ColumnKey, ModelFacts


@dataclass(frozen=True)
class Pair:
    """A result and its parent's."""

    own: Result
    theirs: Result


def parents_of(model: ModelFacts, shown: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The names under which the store shows a model's parent; `shown` as `stored.shown_by` makes it."""
    named = shown.get(model.parent, ()) if model.parent else ()
    return tuple(name for name in named if name != model.id)


def pairs_of(
    results: Sequence[Result], facts: Mapping[str, ModelFacts], shown: Mapping[str, tuple[str, ...]]
) -> list[Pair]:
    """Each result whose model has a parent with a result in the same column, with that one."""
    by_cell: dict[tuple[str, ColumnKey], list[Result]] = defaultdict(list)
    for result in results:
        by_cell[result.row.model, result.key].append(result)
    found: list[Pair] = []
    for own in results:
        parents = parents_of(facts[own.row.model], shown)
        others = [theirs for parent in parents for theirs in by_cell.get((parent, own.key), ())]
        if others:
            found.append(Pair(own, min(others, key=lambda theirs, own=own: _unlike(own, theirs))))
    return found


def _unlike(own: Result, theirs: Result) -> tuple[object, ...]:
    """What tells two results apart beside the model, the worst first; among equals the newest comes first in `results`."""
    return (
        own.is_part != theirs.is_part,
        own.figure.source != theirs.figure.source,
        own.row[1:] != theirs.row[1:],
        own.row.backend != theirs.row.backend,
        own.row.dtype != theirs.row.dtype,
    )
