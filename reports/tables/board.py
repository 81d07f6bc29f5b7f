"""The board as tables of text: one a task group and kind of model, a row a model as it was run."""

from __future__ import annotations

from collections.abc import Iterator

from reports.board.model import Board, BoardRow, Figure, TaskColumn
from reports.cells import ABSENT, number
from reports.tables.figures import finite
from reports.tables.table import Heading, Table

ARROWS = {True: " ↑", False: " ↓", None: ""}
MARKS = {"measured": "", "imported": " i", "contributed": " c", "published": " p"}
LEGEND = (
    "Figures without a letter were measured by minizoo here; p: published by others, i: imported from another tool, "
    "c: contributed. ~: an approximate sampling interval. #: first place of the class of models that the data do not separate."
)


def board_tables(board: Board, group: str | None = None) -> tuple[Table, ...]:
    """A table a task group and kind, of the models that have a figure in it; those of one group where it is given."""
    groups = board.groups() if group is None else (group,)
    return tuple(table for name in groups for table in _of_group(board, name))


def column_name(column: TaskColumn) -> str:
    """Task, metric, shots and which way is better: `hellaswag acc_norm, 10-shot ↑`."""
    key = column.key
    metric = "" if not key.metric else f" {key.metric}" + ("" if key.filter in ("", "none") else f" ({key.filter})")
    shots = "" if key.shots is None else f", {key.shots}-shot"
    return f"{key.task}{metric}{shots}{ARROWS[column.higher_is_better]}"


def figure_text(figure: Figure) -> str:
    """Value, interval, source and rank of a figure: `0.8031 [0.7953, 0.8109] #1`."""
    if finite(figure.value) is None:
        return ABSENT
    lower, upper = finite(figure.lower), finite(figure.upper)
    about = "~" if figure.approximate else ""
    interval = "" if lower is None or upper is None else f" {about}[{number(lower)}, {number(upper)}]"
    part = f" of {figure.n:,}/{figure.total:,}" if figure.n and figure.total and figure.n < figure.total else ""
    rank = "" if figure.rank is None else f" #{figure.rank}" + ("=" if figure.tied > 1 else "")
    return f"{number(figure.value)}{interval}{MARKS[figure.source]}{part}{'†' if figure.selected_on else ''}{rank}"


def _of_group(board: Board, group: str) -> Iterator[Table]:
    columns = [column for column in board.columns if column.group == group]
    for kind in dict.fromkeys(row.facts.kind for row in board.rows):
        rows = [row for row in board.rows if row.facts.kind == kind and any(row.figures.get(c.key) for c in columns)]
        shown = [column for column in columns if any(row.figures.get(column.key) for row in rows)]
        if rows:
            headings = (Heading("model"), Heading("run by"), *(Heading(column_name(c), number=True) for c in shown))
            notes = (LEGEND, SELECTED) if any(_selected(row) for row in rows) else (LEGEND,)
            yield Table(f"{group}, {kind} models", headings, tuple(_cells(row, shown) for row in rows), notes=notes)


SELECTED = "†: the task was used to choose the model's shape, so the score was not blind to the choice."


def _selected(row: BoardRow) -> bool:
    return any(figure.selected_on for figures in row.figures.values() for figure in figures)


def _cells(row: BoardRow, columns: list[TaskColumn]) -> tuple[str, ...]:
    run_by = " · ".join(filter(None, (row.backend, row.dtype, row.hardware)))
    figures = [[figure_text(figure) for figure in row.figures.get(column.key, ())] for column in columns]
    return (row.facts.display or row.facts.id, run_by or ABSENT, *("; ".join(told) or ABSENT for told in figures))
