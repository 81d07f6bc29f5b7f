"""The board as tables of text: figures and shares of the parent by task group and kind of model, speed-ups, failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.records.trained_on import MARK, NOTE, TRAINED_ON
from reports.board.model import Board, BoardRow, Figure, Share, SpeedUp, TaskColumn
from reports.cells import ABSENT, number
from reports.tables.figures import finite
from reports.tables.table import Heading, Table

ARROWS = {True: " ↑", False: " ↓", None: ""}
MARKS = {"measured": "", "imported": " i", "contributed": " c", "published": " p"}
LEGEND = (
    "No letter: measured by minizoo here; p: published by others; i: imported from another tool; c: contributed.",
    "[lower, upper]: the 95 % interval; ~ before it: of a published share of n documents, approximate.",
    "#: the first place of its class, of the models that the data do not separate (=: it shares the class).",
    "1,000/10,042: a part of the documents, which has no rank.",
    "†: the task was used to choose the model's shape, so the score was not blind to the choice.",
    TRAINED_ON.replace(f"{MARK} ", f"{MARK}: ", 1),
)
"""What the signs of a cell mean."""
KEPT = "How much of the parent's score above chance is left, and the plain ratio of the two scores."


def board_tables(board: Board, group: str | None = None) -> tuple[Table, ...]:
    """All tables; with `group` the figures and shares of that task group alone."""
    groups = board.groups() if group is None else (group,)
    of_groups = [table for name in groups for table in _of_group(board, name)]
    rest = [_speedups(board), _failures(board)] if group is None else []
    return tuple(table for table in [*of_groups, *rest] if table.rows)


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
    about = "~" if figure.approximate else ""
    part = f" {figure.n:,}/{figure.total:,}" if figure.n and figure.total and figure.n < figure.total else ""
    rank = "" if figure.rank is None else f" #{figure.rank}" + ("=" if figure.tied > 1 else "")
    interval = _interval(figure.lower, figure.upper, about)
    signs = f"{'†' if figure.selected_on else ''}{MARK if NOTE in figure.notes else ''}"
    return f"{number(figure.value)}{interval}{MARKS[figure.source]}{part}{signs}{rank}"


def share_text(share: Share) -> str:
    """What is kept of the parent: `97.3 % [96.1, 98.4], ratio 0.974`."""
    kept, raw = finite(share.value), finite(share.raw)
    ratio = "" if raw is None else f"ratio {raw:.3f}"
    if kept is None:
        return ratio or ABSENT
    lower, upper = finite(share.lower), finite(share.upper)
    about = "" if share.paired else "~"
    interval = "" if lower is None or upper is None else f" {about}[{100 * lower:.1f}, {100 * upper:.1f}]"
    return f"{100 * kept:.1f} %{interval}{MARKS[share.source]}" + (f", {ratio}" if ratio else "")


def run_by(row: BoardRow) -> str:
    """Backend, dtype and hardware; `–` of a row that has only published figures."""
    return " · ".join(filter(None, (row.backend, row.dtype, row.hardware))) or ABSENT


def _of_group(board: Board, group: str) -> Iterator[Table]:
    """For each kind the figures, then the shares."""
    columns = [column for column in board.columns if column.group == group]
    for kind in dict.fromkeys(row.facts.kind for row in board.rows):
        rows = [row for row in board.rows if row.facts.kind == kind and any(row.figures.get(c.key) for c in columns)]
        shown = [column for column in columns if any(row.figures.get(column.key) for row in rows)]
        if rows:
            yield _figures(f"{group}, {kind} models", rows, shown)
            yield _shares(f"{group}, {kind} models: kept of the parent", rows, shown)


def _figures(title: str, rows: Sequence[BoardRow], columns: Sequence[TaskColumn]) -> Table:
    headings = (Heading("model", importance=5), Heading("run by"), *(Heading(column_name(c), True, 2) for c in columns))
    cells = [
        (_called(row), run_by(row), *(_joined(map(figure_text, row.figures.get(c.key, ()))) for c in columns))
        for row in rows
    ]
    return Table(title, headings, tuple(cells))


def _shares(title: str, rows: Sequence[BoardRow], columns: Sequence[TaskColumn]) -> Table:
    """Rows and columns in which some figure has a share."""
    found = {(at, c.key): _shares_of(row, c) for at, row in enumerate(rows) for c in columns}
    shown = [c for c in columns if any(found[at, c.key] for at in range(len(rows)))]
    headings = (
        Heading("model", importance=5), Heading("parent", importance=3), Heading("run by"),
        *(Heading(column_name(c).rstrip(" ↑↓"), True, 2) for c in shown),
    )  # fmt: skip
    cells = [
        (_called(row), row.facts.parent or ABSENT, run_by(row), *(_joined(found[at, c.key]) for c in shown))
        for at, row in enumerate(rows)
        if any(found[at, c.key] for c in shown)
    ]
    return Table(title, headings, tuple(cells), notes=(KEPT,))


def _shares_of(row: BoardRow, column: TaskColumn) -> list[str]:
    return [share_text(figure.retained) for figure in row.figures.get(column.key, ()) if figure.retained]


def _speedups(board: Board) -> Table:
    headings = (
        Heading("model", importance=5), Heading("against", importance=3), Heading("hardware", importance=3), Heading("rule"),
        Heading("times as fast", True, 4), Heading("how"),
    )  # fmt: skip
    cells = [_speedup(row, speedup) for row in board.rows for speedup in row.speedups]
    return Table("Speed-ups", headings, tuple(cells))


def _speedup(row: BoardRow, speedup: SpeedUp) -> tuple[str, ...]:
    ratio = ABSENT if finite(speedup.ratio) is None else f"{speedup.ratio:.2f}×"
    lower, upper = finite(speedup.lower), finite(speedup.upper)
    interval = "" if lower is None or upper is None else f" [{lower:.2f}, {upper:.2f}]"
    told = f"{ratio}{interval}{MARKS[speedup.source]}"
    return _called(row), speedup.against, speedup.hardware, speedup.rule, told, speedup.detail


def _failures(board: Board) -> Table:
    headings = (
        Heading("model", importance=5),
        Heading("task", importance=4),
        Heading("why"),
        Heading("run"),
        Heading("when"),
    )
    rows = tuple((one.model, one.task, one.reason, one.run_id, one.finished_at) for one in board.failures)
    return Table("Tasks whose newest run failed", headings, rows)


def _called(row: BoardRow) -> str:
    return row.facts.display or row.facts.id


def _joined(parts: Iterator[str] | list[str] | map[str]) -> str:
    return "; ".join(parts) or ABSENT


def _interval(lower: float | None, upper: float | None, about: str) -> str:
    low, high = finite(lower), finite(upper)
    return "" if low is None or high is None else f" {about}[{number(low)}, {number(high)}]"
