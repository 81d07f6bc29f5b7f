"""The board, made from the store and the registry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.store.query import Reader
from reports.board.columns import ColumnFacts, columns_of
from reports.board.facts import facts_of
from reports.board.measured import Result, RowKey, failures_of, in_order, is_part, results_of
from reports.board.model import Board, BoardRow, ColumnKey, Figure, ModelFacts, TaskColumn
from reports.board.order import in_place, lead
from reports.board.published import Cells, published_cells
from reports.board.ranks import Entrant, places
from zoo.registry.loader import Registry

Grid = dict[RowKey, dict[ColumnKey, list[Figure]]]


def build_board(reader: Reader, registry: Registry) -> Board:
    """Everything that the leaderboard shows of the results that the reader reads and of the registry's published scores."""
    results = results_of(reader)
    published = published_cells(registry)
    found = _columns(results, published)
    columns = columns_of(found, registry)
    grid = _grid([result for result in results if result.key in found])
    facts = _facts(results, grid, published, registry)
    rows = in_place(_rows(grid, facts, published, columns), columns)
    rows = _ranked(rows, columns)
    runs = reader.rows("SELECT count(DISTINCT run_id) AS runs FROM records")[0]["runs"]
    counted = [figure for row in rows for cell in row.figures.values() for figure in cell]
    return Board(
        columns=columns,
        rows=tuple(rows),
        failures=failures_of(reader),
        measured=sum(figure.source == "measured" for figure in counted),
        imported=sum(figure.source in ("imported", "contributed") for figure in counted),
        published=sum(figure.source == "published" for figure in counted),
        runs=runs,
        newest=max((figure.finished_at for figure in counted), default=""),
    )


def _columns(results: Iterable[Result], published: Cells) -> dict[ColumnKey, ColumnFacts]:
    """A column for each metric that a suite is about and each that was published; a task's further metrics have none."""
    found = {key: ColumnFacts(higher_is_better=True) for cells in published.values() for key in cells}
    for result in results:
        if result.primary:
            found.setdefault(result.key, ColumnFacts())
    for result in results:  # newest first
        if (facts := found.get(result.key)) is not None:
            facts.higher_is_better = (
                result.higher_is_better if facts.higher_is_better is None else facts.higher_is_better
            )
            facts.chance = result.chance if facts.chance is None and not result.is_part else facts.chance
    return found


def _grid(results: Iterable[Result]) -> Grid:
    grid: Grid = defaultdict(lambda: defaultdict(list))
    for result in results:
        grid[result.row][result.key].append(result.figure)
    return grid


def _facts(results: Sequence[Result], grid: Grid, published: Cells, registry: Registry) -> dict[str, ModelFacts]:
    known = {result.row.model: (result.subject, result.parent) for result in reversed(results)}
    shown = dict.fromkeys([*(row.model for row in grid), *registry.models])
    return {
        model: facts_of(model, *known.get(model, (model if model in registry.models else None, None)), registry)
        for model in shown
    }


def _rows(
    grid: Grid, facts: Mapping[str, ModelFacts], published: Cells, columns: Sequence[TaskColumn]
) -> list[BoardRow]:
    rows = [
        BoardRow(
            facts[key.model], key.backend, key.dtype, key.hardware, {at: in_order(cell) for at, cell in cells.items()}
        )
        for key, cells in grid.items()
    ]
    by_model: dict[str, list[BoardRow]] = defaultdict(list)
    for row in rows:
        by_model[row.facts.id].append(row)
    for model in facts:
        by_model.setdefault(model, [BoardRow(facts[model])])
    for model, cells in published.items():
        ways = by_model[model]
        first = lead(ways, columns)
        ways.remove(first)
        figures = {key: list(cell) for key, cell in first.figures.items()}
        for key, cell in cells.items():
            figures.setdefault(key, []).append(cell.figure)
        ways.insert(0, replace(first, figures={key: in_order(cell) for key, cell in figures.items()}))
    return [row for ways in by_model.values() for row in ways]


def _ranked(rows: Sequence[BoardRow], columns: Sequence[TaskColumn]) -> list[BoardRow]:
    """The rows with the places of whole measured figures, by column and kind."""
    made = [dict(row.figures) for row in rows]
    for column in columns:
        better = column.higher_is_better
        if better is None:
            continue
        for kind in {row.facts.kind for row in rows}:
            at = [
                (index, place, figure)
                for index, row in enumerate(rows)
                if row.facts.kind == kind
                for place, figure in enumerate(row.figures.get(column.key, ()))
                if takes_part(figure)
            ]
            entrants = [Entrant(rows[index].facts.id, figure.lower, figure.upper) for index, _, figure in at
                        if figure.lower is not None and figure.upper is not None]  # fmt: skip
            for (index, place, figure), won in zip(at, places(entrants, better), strict=True):
                cell = list(made[index][column.key])
                cell[place] = replace(figure, rank=won.rank, tied=won.tied)
                made[index][column.key] = tuple(cell)
    return [replace(row, figures=figures) for row, figures in zip(rows, made, strict=True)]


def takes_part(figure: Figure) -> bool:
    """Whether a figure has a place: measured here, of the whole task, with an interval."""
    whole = figure.source == "measured" and not is_part(figure)
    return whole and figure.lower is not None and figure.upper is not None
