"""In which order rows stand (kinds apart, by the lower bound of the first column, what is missing last), and their places."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from reports.board.measured import is_part
from reports.board.model import BoardRow, Figure, TaskColumn
from reports.board.ranks import Entrant, places

KINDS = ("base", "instruct", "reasoning")
"""Never ranked together; what is unknown comes after them."""


def in_place(rows: Sequence[BoardRow], columns: Sequence[TaskColumn]) -> list[BoardRow]:
    """The rows in their order, whatever the order they come in."""
    return sorted(rows, key=lambda row: _place(row, columns[:1]))


def lead(rows: Sequence[BoardRow], columns: Sequence[TaskColumn]) -> BoardRow:
    """Which of a model's rows comes first, and so bears what is published of it."""
    return min(rows, key=lambda row: _place(row, columns[:1]))


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


def _place(row: BoardRow, first: Sequence[TaskColumn]) -> tuple[int, bool, float, bool, float, tuple[str, ...]]:
    figures = [cell[0] for column in first if (cell := row.figures.get(column.key))]
    sign = -1.0 if not first or first[0].higher_is_better is not False else 1.0
    lower = next((f.lower if sign < 0 else f.upper for f in figures), None)
    value = next((f.value for f in figures), None)
    kind = KINDS.index(row.facts.kind) if row.facts.kind in KINDS else len(KINDS)
    names = (row.facts.display.casefold(), row.facts.id, row.backend, row.dtype, row.hardware)
    return kind, lower is None, sign * (lower or 0.0), value is None, sign * (value or 0.0), names
