"""In which order rows stand: kinds apart, then by the lower bound of the first column, what is missing last."""

from __future__ import annotations

from collections.abc import Sequence

from reports.board.model import BoardRow, TaskColumn

KINDS = ("base", "instruct", "reasoning")
"""Never ranked together; what is unknown comes after them."""


def in_place(rows: Sequence[BoardRow], columns: Sequence[TaskColumn]) -> list[BoardRow]:
    """The rows in their order, whatever the order they come in."""
    return sorted(rows, key=lambda row: _place(row, columns[:1]))


def lead(rows: Sequence[BoardRow], columns: Sequence[TaskColumn]) -> BoardRow:
    """Which of a model's rows comes first, and so bears what is published of it."""
    return min(rows, key=lambda row: _place(row, columns[:1]))


def _place(row: BoardRow, first: Sequence[TaskColumn]) -> tuple[int, bool, float, bool, float, tuple[str, ...]]:
    figures = [cell[0] for column in first if (cell := row.figures.get(column.key))]
    sign = -1.0 if not first or first[0].higher_is_better is not False else 1.0
    lower = next((f.lower if sign < 0 else f.upper for f in figures), None)
    value = next((f.value for f in figures), None)
    kind = KINDS.index(row.facts.kind) if row.facts.kind in KINDS else len(KINDS)
    names = (row.facts.display.casefold(), row.facts.id, row.backend, row.dtype, row.hardware)
    return kind, lower is None, sign * (lower or 0.0), value is None, sign * (value or 0.0), names
