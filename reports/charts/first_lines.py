"""The lines of the first picture: which models, which columns, which figure of each."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reports.board.model import Board, BoardRow, Figure, TaskColumn
from reports.cells import writable

MOST_LINES, MOST_TASKS = 12, 4
LONGEST_NAME = 34
DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Line:
    """A model of the picture."""

    name: str
    size: float | None
    """Parameters as a share of the parent's."""
    points: tuple[tuple[int, Figure], ...]
    """(Number of the panel, the figure shown there.)"""


def drawn_lines(board: Board, group: str, kept: bool) -> tuple[list[TaskColumn], list[Line]]:
    """The columns and lines of the picture: a column in which no line has a point is none."""
    columns = _columns(board, group, kept)
    while True:
        lines = _lines(board.rows, columns, kept)
        used = sorted({at for line in lines for at, _ in line.points})
        if len(used) == len(columns):
            return columns, lines
        columns = [columns[at] for at in used]


def _columns(board: Board, group: str, kept: bool) -> list[TaskColumn]:
    """The columns of most figures, in the board's order; scores share an axis only where they lie between 0 and 1."""
    filled: Counter[int] = Counter()
    columns = [column for column in board.columns if column.group == group]
    for at, column in enumerate(columns):
        filled[at] = sum(_shown(row.figures.get(column.key, ()), column, kept) is not None for row in board.rows)
    best = [at for at, number in filled.most_common(MOST_TASKS) if number]
    return [columns[at] for at in sorted(best)]


def _lines(rows: Sequence[BoardRow], columns: Sequence[TaskColumn], kept: bool) -> list[Line]:
    found: list[Line] = []
    for row in rows:
        shown = ((at, _shown(row.figures.get(column.key, ()), column, kept)) for at, column in enumerate(columns))
        points = tuple((at, figure) for at, figure in shown if figure is not None)
        facts = row.facts
        ratio = facts.parameters / facts.parent_parameters if facts.parameters and facts.parent_parameters else None
        if points and (not kept or ratio is None or ratio < 1):
            found.append(Line(_name(row), ratio, points))
    found.sort(key=lambda line: (-len({at for at, _ in line.points}), -_surely(line.points[0][1], kept)))
    unique = {line.name: line for line in reversed(found[:MOST_LINES])}
    return sorted(unique.values(), key=lambda line: (line.points[0][0], -_surely(line.points[0][1], kept), line.name))


def _shown(figures: Sequence[Figure], column: TaskColumn, kept: bool) -> Figure | None:
    """The first figure of a cell that can be drawn."""
    for figure in figures:
        value = value_of(figure, kept)
        whole = figure.n is None or figure.total is None or figure.n >= figure.total
        share = kept or (column.higher_is_better is True and value is not None and 0 <= value <= 1)
        if value is not None and math.isfinite(value) and whole and share:
            return figure
    return None


def value_of(figure: Figure, kept: bool) -> float | None:
    """The score, or the share of the parent that is kept."""
    if not kept:
        return figure.value
    return figure.retained.value if figure.retained else None


def ends_of(figure: Figure, kept: bool) -> tuple[float | None, float | None]:
    """The interval of the score, or of the share."""
    owner = figure.retained if kept else figure
    return (owner.lower, owner.upper) if owner else (None, None)


def _surely(figure: Figure, kept: bool) -> float:
    lower, value = ends_of(figure, kept)[0], value_of(figure, kept)
    return next((each for each in (lower, value) if each is not None and math.isfinite(each)), 0.0)


def _name(row: BoardRow) -> str:
    name = plain(row.facts.display or row.facts.id)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def plain(words: str) -> str:
    """A name in one line, without characters that turn the direction of what follows them."""
    return re.sub(r"\s+", " ", DIRECTION.sub("", writable(words)))
