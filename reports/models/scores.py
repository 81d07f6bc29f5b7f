"""What a model scores: its figures on the board, measured ones held against published, speed-ups, runs, failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.store.reproduction import verdict_words
from reports.board.measured import UNCHECKED
from reports.board.model import Board, BoardRow, ColumnKey, Figure, Share, Source, SpeedUp, TaskColumn
from reports.cells import ABSENT, interval, moment, number, text
from reports.models.grid import Cell, Column, Grid, Group, Line, Target, absent, grid, grouped, percent, short
from reports.models.subject import Subject

Row = Mapping[str, Any]

ARROWS = {True: "↑", False: "↓", None: ""}
MARKED_VERDICTS = {"reproduced": "good", "differs": "bad"}
APPROXIMATE = "≈ The sampling error of a printed share of n documents: nobody measured this interval."
SELECTED = "† The task was used to choose the model's shape."
SCORES = (
    Column("Task"),
    Column("From"),
    Column("Value", number=True),
    Column("95 % interval", number=True),
    Column("n", number=True),
    Column("Kept of parent", number=True),
    Column("To be read with", wide=True),
)
SOME_UNCHECKED = (
    "‡ Unchecked: when measured, nobody had asked whether the backend gives right numbers for such a model."
)
SOURCES: tuple[Source, ...] = ("measured", "imported", "contributed", "published")
"""In the order of a task's lines."""


def scores(subject: Subject, board: Board) -> Grid | None:
    """Every figure, task by task in the order of the board, what counts first; None for a model without any."""
    groups: list[Group] = []
    for column in board.columns:
        found = [(row, figure) for row in subject.rows for figure in row.figures.get(column.key, ())]
        found.sort(key=lambda pair: SOURCES.index(pair[1].source))
        if found:
            groups.append(Group("", tuple(Line(_figure(column, row, figure)) for row, figure in found)))
    if not groups:
        return None
    caption = "Every figure of this model, in the metric's own unit; ↑ higher is better, ↓ lower is better."
    figures = [figure for _, _, figure in subject.figures()]
    notes = (
        (any(figure.approximate for figure in figures), APPROXIMATE),
        (any(figure.selected_on for figure in figures), SELECTED),
        (any(UNCHECKED in figure.notes for figure in figures), SOME_UNCHECKED),
    )
    return grouped(caption, SCORES, groups, [note for there, note in notes if there])


def task_words(key: ColumnKey, higher: bool | None) -> Cell:
    """A column of the board as a cell: the task, and metric, filter and shots beside it."""
    shots = "" if key.shots is None else f"{key.shots}-shot"
    told = (short(key.metric) or "metric not stated", "" if key.filter in ("", "none") else short(key.filter), shots)
    return Cell(short(key.task), f"{', '.join(filter(None, told))} {ARROWS[higher]}".rstrip())


def share_words(share: Share, chance: float | None) -> tuple[str, str]:
    """What is kept of the parent's score above `chance`, and its interval, the raw ratio and how it was got."""
    ends = "" if share.lower is None or share.upper is None else f"{percent(share.lower)} to {percent(share.upper)}, "
    raw = "" if share.raw is None else f"raw {percent(share.raw)}"
    how = "same documents" if share.paired else ""
    missing = "chance unknown" if chance is None else "parent not above chance"
    value = missing if share.value is None else percent(share.value)
    return value, f"{ends}{', '.join(filter(None, (raw, how)))}".removesuffix(", ")


def way(row: BoardRow) -> str:
    """How a line of the board was run, in words."""
    return " · ".join(short(part, 60) for part in (row.hardware, row.backend, row.dtype) if part)


def against_published(rows: Sequence[Row]) -> Grid | None:
    """The newest measured score of each task beside the published one that it is best held against, with the verdict."""
    columns = (
        Column("Task"),
        Column("Measured", number=True),
        Column("Published", number=True),
        Column("Difference", number=True),
        Column("Margin", number=True),
        Column("Verdict", wide=True),
        Column("Source"),
        Column("Run"),
    )
    lines = [_beside(row) for row in rows]
    note = "Reproduced: the whole interval of the difference is within the margin. Differs: all of it is outside."
    return grid("Measured scores beside the published ones.", columns, lines, (note,))


def speedups(ups: Sequence[SpeedUp]) -> Grid | None:
    """How much faster than its parent, by each rule on each piece of hardware."""
    columns = (
        Column("Hardware"), Column("At"), Column("Speed-up", number=True), Column("95 % interval", number=True),
        Column("Over"), Column("Source"), Column("Of what", wide=True), Column("Run"),
    )  # fmt: skip
    rows = [
        [
            Cell(short(up.hardware), to=Target("speed", up.hardware) if up.hardware else None),
            Cell(up.rule),
            Cell(f"{up.ratio:.2f}×"),
            Cell(interval(up.lower, up.upper)),
            Cell(short(up.against), to=Target("model", up.against)),
            Cell(up.source, mark=up.source),
            Cell(up.detail),
            Cell("run", to=Target("run", up.run_id)) if up.run_id else Cell(""),
        ]
        for up in ups
    ]
    return grid("Speed against the model it was made from.", columns, rows)


def runs(rows: Sequence[Row]) -> Grid | None:
    """The newest runs of a model."""
    columns = (
        Column("Run"), Column("Finished (UTC)"), Column("Suite"), Column("On"), Column("Tasks", number=True),
        Column("Failed", number=True), Column("Source"),
    )  # fmt: skip
    lines = [
        [
            Cell(text(row["run_id"]), to=Target("run", text(row["run_id"]))),
            Cell(moment(row["finished_at"])),
            Cell(short(text(row["suite"]))),
            Cell(short(text(row["gpu"]) or text(row["processor"]) or text(row["device"])), _software(row)),
            Cell(f"{row['tasks']:,}"),
            Cell(f"{row['failed']:,}" if row["failed"] else "", mark="bad" if row["failed"] else ""),
            Cell(text(row["source"]), mark=text(row["source"])),
        ]
        for row in rows
    ]
    more = bool(rows) and rows[0]["runs"] > len(rows)
    notes = (f"The newest {len(rows)} of {rows[0]['runs']:,}; the page of all runs has the others.",) if more else ()
    return grid("Runs, the newest first.", columns, lines, notes)


def failures(subject: Subject, board: Board) -> Grid | None:
    """Tasks whose newest run failed."""
    lost = [failure for failure in board.failures if failure.model == subject.facts.id]
    columns = (Column("Task"), Column("Finished (UTC)"), Column("Why", wide=True), Column("Run"))
    rows = [
        [
            Cell(short(failure.task)),
            absent(Cell(moment(failure.finished_at or None))),
            Cell(failure.reason, mark="bad"),
            Cell("run", to=Target("run", failure.run_id)),
        ]
        for failure in lost
    ]
    return grid("Tasks whose newest run failed. A failure hides no older figure.", columns, rows)


def _figure(column: TaskColumn, row: BoardRow, figure: Figure) -> tuple[Cell, ...]:
    kept = share_words(figure.retained, column.chance) if figure.retained is not None else ("", "")
    printed = f"printed {figure.printed}" if figure.printed else ""
    partly = figure.n is not None and figure.total and figure.n != figure.total
    of = f"of {figure.total:,}" if partly else ""
    disagree = f"{figure.conflicts} other printed {'figure differs' if figure.conflicts == 1 else 'figures differ'}"
    said = {UNCHECKED, f"{figure.n:,} of {figure.total:,} documents"} if of else {UNCHECKED}
    notes = tuple(note for note in figure.notes if note not in said)
    verdict = "" if any(note.startswith(figure.verdict) for note in notes) else figure.verdict
    told = (*notes, disagree if figure.conflicts else "", verdict, _rank(figure))
    return (
        task_words(column.key, column.higher_is_better),
        _origin(row, figure),
        Cell(f"{number(figure.value)}{' †' * figure.selected_on}{' ‡' * (UNCHECKED in figure.notes)}", printed),
        Cell(("≈ " if figure.approximate else "") + interval(figure.lower, figure.upper) if figure.lower is not None else ""),
        Cell("" if figure.n is None else f"{figure.n:,}", of),
        Cell(*kept),
        Cell(", ".join(short(part) for part in told if part)),
    )  # fmt: skip


def _origin(row: BoardRow, figure: Figure) -> Cell:
    """Where a figure is from: the source that prints it, or how and when it was measured, by whom."""
    if figure.source == "published":
        return Cell(figure.source, figure.origin, Target("source", figure.origin), figure.source)
    told = (way(row), moment(figure.finished_at or None), short(figure.origin, 60))
    to = Target("run", figure.run_id) if figure.run_id else None
    return Cell(figure.source, ", ".join(filter(None, told)), to, figure.source)


def _rank(figure: Figure) -> str:
    if figure.rank is None:
        return ""
    return f"place {figure.rank} of its kind" + (f", shared by {figure.tied}" if figure.tied > 1 else "")


def _beside(row: Row) -> list[Cell]:
    shots = "" if row["shots"] is None else f"{row['shots']}-shot"
    filtered = "" if row["filter"] in (None, "none") else text(row["filter"])
    lower, upper = row["difference_lower"], row["difference_upper"]
    ends = "" if lower is None or upper is None else f"{_signed(lower)} to {_signed(upper)}"
    part = f", {row['n']:,} of {row['total']:,}" if row["total"] and row["n"] != row["total"] else ""
    theirs = "" if row["published_shots"] is None else f"{row['published_shots']}-shot"
    return [
        Cell(short(text(row["task"])), ", ".join(filter(None, (text(row["metric"]), filtered, shots)))),
        Cell(number(row["measured"]), interval(row["lower"], row["upper"]) + part),
        Cell(number(row["published"]), ", ".join(filter(None, (f"printed {row['printed']:g}", theirs)))),
        Cell(ABSENT if row["difference"] is None else _signed(row["difference"]), ends),
        Cell("" if row["margin"] is None else f"± {row['margin']:.4f}", text(row["margin_basis"])),
        Cell(verdict_words(row), mark=MARKED_VERDICTS.get(row["verdict"], "")),
        Cell(text(row["origin"]), text(row["protocol"]), Target("source", text(row["origin"]))),
        Cell(moment(row["finished_at"]), to=Target("run", text(row["run_id"]))),
    ]


def _signed(difference: float) -> str:
    return f"{difference:+,.4f}".replace("-", "−")


def _software(row: Row) -> str:
    return " · ".join(short(part, 60) for part in (text(row["backend"]), text(row["dtype"])) if part)
