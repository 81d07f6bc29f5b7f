"""Which pairs of models have a page of their own: the edges of the lineage that were measured, and what was asked for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reports.board.model import Board, ColumnKey
from zoo.registry.loader import Registry

Pair = tuple[str, str]
"""Shown names of two models, the reference first."""
PAIRED = {"measured", "imported"}
"""Sources that leave a document's outcome behind; bundles and publications hold numbers alone."""
BY_WEIGHTS = re.compile(r"@[0-9a-f]{8}$")
"""What a shown name ends in where the store has several sets of weights of one model."""


def pairs(board: Board, registry: Registry, asked: Iterable[Pair] = ()) -> tuple[Pair, ...]:
    """Every pair that has a comparison page, the reference first: children after their parent (and after their teacher, where
    that is another), in the order of the board, where both have measured figures of one column; then the asked ones.

    Asked names may be any that the registry knows a model by; a word that the board does not have stays as it is.
    """
    known = measured_columns(board)
    edges = (edge for edge in _edges(board, registry) if known[edge[0]] & known[edge[1]])
    named = ((shown_as(a, board, registry), shown_as(b, board, registry)) for a, b in asked)
    return tuple(dict.fromkeys([*edges, *(pair for pair in named if pair[0] != pair[1])]))


def shown_as(word: str, board: Board, registry: Registry) -> str:
    """The name under which the board has the model of that word; the word itself where it has none."""
    names = {row.facts.id for row in board.rows}
    if word in names:
        return word
    found = registry.find(word)
    return found.id if found is not None and found.id in names else word


def measured_columns(board: Board) -> Mapping[str, set[ColumnKey]]:
    """Shown name → the columns in which a run that keeps its documents gave the model a number; empty for any other name."""
    found: dict[str, set[ColumnKey]] = defaultdict(set)
    for row in board.rows:
        for key, figures in row.figures.items():
            if any(figure.source in PAIRED and figure.value is not None for figure in figures):
                found[row.facts.id].add(key)
    return found


def _edges(board: Board, registry: Registry) -> Iterator[Pair]:
    """(Parent or teacher, model) for every model of the board, whether anything was measured or not."""
    models = {row.facts.id: row.facts for row in board.rows}
    by_name: dict[str, list[str]] = defaultdict(list)
    for name in models:
        by_name[BY_WEIGHTS.sub("", name)].append(name)
    for name, facts in models.items():
        entry = registry.find(BY_WEIGHTS.sub("", name)) if facts.registered else None
        teacher = entry.lineage.teacher if entry is not None and entry.lineage is not None else None
        for origin in dict.fromkeys([facts.parent, teacher]):
            yield from ((parent, name) for parent in _named(origin, models, by_name) if parent != name)


def _named(origin: str | None, models: Mapping[str, object], by_name: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The shown names of one model: its own, else one for each set of its weights."""
    if origin is None:
        return ()
    return (origin,) if origin in models else by_name.get(origin, ())
