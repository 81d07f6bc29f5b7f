"""Places that say no more than the data: classes of figures that the best of them does not leave behind.

The leader of a class is the figure with the best lower bound that is in no class yet, and in its class is every other
whose upper bound reaches that bound. The anchor stays with the leader: one that moved from neighbour to neighbour would
chain all into one class.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from reports.board.measured import is_part
from reports.board.model import BoardRow, Figure, TaskColumn
from reports.board.order import KINDS


@dataclass(frozen=True)
class Entrant:
    """A figure that takes part: whose it is, and its interval."""

    model: Hashable
    lower: float
    upper: float


@dataclass(frozen=True)
class Place:
    """Where a figure stands: one more than the models that a class before its own has, its own model not counted."""

    rank: int
    tied: int
    """Models in its class, this one too."""


def places(entrants: Sequence[Entrant], higher_is_better: bool) -> list[Place]:
    """The place of each, in the order given; in which order that is changes nothing.

    A model may take part several times, run in several ways: it then counts once.
    """
    spans = [(e.lower, e.upper) if higher_is_better else (-e.upper, -e.lower) for e in entrants]
    left = sorted(range(len(entrants)), key=lambda index: spans[index], reverse=True)
    made: dict[int, Place] = {}
    before: set[Hashable] = set()
    while left:
        bound = spans[left[0]][0]
        members = [index for index in left if spans[index][1] >= bound]
        left = [index for index in left if spans[index][1] < bound]
        models = {entrants[index].model for index in members}
        for index in members:
            made[index] = Place(1 + len(before - {entrants[index].model}), len(models))
        before |= models
    return [made[index] for index in range(len(entrants))]


def ranked(rows: Sequence[BoardRow], columns: Sequence[TaskColumn]) -> list[BoardRow]:
    """The rows, their whole measured figures with places, within each column and kind.

    Models of unknown kind have none: they may be base models and instruct ones, which are not held against each other.
    """
    made = [dict(row.figures) for row in rows]
    for column in columns:
        if column.higher_is_better is None:
            continue
        taking_part: dict[str, list[tuple[int, int, Figure]]] = defaultdict(list)
        for index, row in enumerate(rows):
            for position, figure in enumerate(row.figures.get(column.key, ())):
                if row.facts.kind in KINDS and takes_part(figure):
                    taking_part[row.facts.kind].append((index, position, figure))
        for at in taking_part.values():
            entrants = [
                Entrant(rows[index].facts.id, figure.lower or 0.0, figure.upper or 0.0) for index, _, figure in at
            ]
            for (index, position, figure), place in zip(at, places(entrants, column.higher_is_better), strict=True):
                cell = list(made[index][column.key])
                cell[position] = replace(figure, rank=place.rank, tied=place.tied)
                made[index][column.key] = tuple(cell)
    return [replace(row, figures=figures) for row, figures in zip(rows, made, strict=True)]


def takes_part(figure: Figure) -> bool:
    """Whether a figure has a place: measured here, of the whole task, with an interval."""
    ends = (figure.lower, figure.upper)
    return (
        figure.source == "measured"
        and not is_part(figure)
        and all(end is not None and math.isfinite(end) for end in ends)
    )
