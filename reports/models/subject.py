"""The models that have a page: every one of the board, with its entry in the registry and its lines of the board."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.board.model import Board, BoardRow, ColumnKey, Figure, ModelFacts
from zoo.registry.loader import Model, Registry

BY_WEIGHTS = re.compile(r"@[0-9a-f]{8}$")
"""What a shown name ends in where the store has several sets of weights of one model."""
PUBLISHED = "published"


@dataclass(frozen=True)
class Subject:
    """A model of the board. `entry` is None for one that is in no registry."""

    facts: ModelFacts
    entry: Model | None
    rows: tuple[BoardRow, ...]

    def figures(self) -> Iterator[tuple[BoardRow, ColumnKey, Figure]]:
        """Every figure of the model, in the order of its lines."""
        for row in self.rows:
            for key, figures in row.figures.items():
                yield from ((row, key, figure) for figure in figures)

    def count(self, *, published: bool) -> int:
        """How many figures are published, or were measured by anyone in a run."""
        return sum((figure.source == PUBLISHED) == published for _, _, figure in self.figures())


def subjects(board: Board, registry: Registry) -> tuple[Subject, ...]:
    """The models of the board in its order."""
    lines: dict[str, list[BoardRow]] = {}
    for row in board.rows:
        lines.setdefault(row.facts.id, []).append(row)
    return tuple(_subject(rows, registry) for rows in lines.values())


def _subject(rows: Sequence[BoardRow], registry: Registry) -> Subject:
    facts = rows[0].facts
    entry = registry.models.get(BY_WEIGHTS.sub("", facts.id)) if facts.registered else None
    return Subject(facts, entry, tuple(rows))
