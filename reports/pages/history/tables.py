"""What the page of the history shows: its pictures, the table of changes, the table of all series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.fleet.history.change_points import FEWEST_FIGURES, Told, history
from harness.fleet.history.changed import in_words
from harness.fleet.history.series import Figure, hardware_of
from harness.store.query import Reader
from reports.cells import moment
from reports.models.grid import Cell, Column, Grid, Target, grid, short
from reports.pages.history.pictures import Picture, picture_of
from reports.pages.history.words import KINDS, change_words

MOST_PICTURES, MOST_SERIES = 24, 500
"""Those that changed come first."""


@dataclass(frozen=True)
class HistoryPage:
    """Everything on the page."""

    lede: str
    pictures: tuple[Picture, ...]
    grids: tuple[Grid, ...]


def history_page(reader: Reader) -> HistoryPage | None:
    """The page of these results; None where no night is in them."""
    if not reader.rows("SELECT 1 FROM nights LIMIT 1"):
        return None
    found = history(reader)
    drawn = [one for one in found if len(one.series.figures) >= FEWEST_FIGURES]
    drawn.sort(key=lambda one: (not one.changes, one.series.key.kind == "accuracy"))
    worse = sum(any(change.is_worse for change in one.changes) for one in found)
    lede = f"{len(found)} series; {sum(bool(one.changes) for one in found)} of them changed, {worse} for the worse."
    grids = (_changes(found), _all(found[:MOST_SERIES], len(found)))
    pictures = tuple(map(picture_of, drawn[:MOST_PICTURES]))
    return HistoryPage(lede, pictures, tuple(each for each in grids if each is not None))


def _changes(found: Sequence[Told]) -> Grid | None:
    columns = (
        Column("Model"), Column("Task or workload"), Column("On"), Column("Change"), Column("Last night before (UTC)"),
        Column("First night after (UTC)"), Column("Changed in between", wide=True),
    )  # fmt: skip
    rows = [
        [
            Cell(short(one.series.key.model)),
            Cell(short(one.series.key.task), f"{one.series.key.metric}, {KINDS[one.series.key.kind]}"),
            Cell(short(hardware_of(one.series.key))),
            Cell(change_words(change, one.series.key.kind), mark="bad" if change.is_worse else "good"),
            _night(change.before),
            _night(change.after),
            Cell(in_words(change.changed)),
        ]
        for one in found
        for change in one.changes
    ]
    return grid(
        "Where a series changed. Scores are judged by the gate, document by document, and not here.", columns, rows
    )


def _all(found: Sequence[Told], total: int) -> Grid | None:
    columns = (
        Column("Model"), Column("Task or workload"), Column("On"), Column("Nights and runs", number=True),
        Column("First", number=True), Column("Last", number=True), Column("Last (UTC)"), Column("Changes"),
    )  # fmt: skip
    rows = [
        [
            Cell(short(one.series.key.model)),
            Cell(short(one.series.key.task), f"{one.series.key.metric}, {KINDS[one.series.key.kind]}"),
            Cell(short(hardware_of(one.series.key)), one.series.key.backend or ""),
            Cell(f"{len(one.series.figures):,}"),
            Cell(f"{one.series.figures[0].value:.4g}"),
            Cell(f"{one.series.figures[-1].value:.4g}"),
            _night(one.series.figures[-1]),
            Cell(str(len(one.changes)) if one.why_not is None else one.why_not, mark="soft" if one.why_not else ""),
        ]
        for one in found
    ]
    notes = (f"{total - len(found):,} more are in the view `series`.",) if total > len(found) else ()
    return grid("Every series.", columns, rows, notes)


def _night(figure: Figure) -> Cell:
    return Cell(moment(figure.finished_at), figure.night or "", Target("run", figure.run_id) if figure.run_id else None)
