"""Rows from what was found: a model as it was run in one way, and what is published of it on its first row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.compare.items import ScoreKey
from harness.records.trained_on import NOTE, is_among
from reports.board.columns import benchmark_name
from reports.board.facts import selected_tasks
from reports.board.measured import Result, RowKey, in_order
from reports.board.model import BoardRow, ColumnKey, Figure, ModelFacts, Share, SpeedUp, TaskColumn
from reports.board.order import lead
from reports.board.published import Cells
from reports.board.shares import published_shares
from reports.board.speedups import Found, published_speedups
from reports.board.verdicts import Verdicts
from zoo.registry.loader import Registry

Shares = Mapping[tuple[str, ScoreKey], Share]
"""(run, score) → what it keeps of its parent's."""


@dataclass(frozen=True)
class Materials:
    """What rows are made of."""

    results: Sequence[Result]
    facts: Mapping[str, ModelFacts]
    """Of every model that has a row."""
    selected: Mapping[str, frozenset[str]]
    """Model → the benchmarks whose scores chose its shape."""
    trained: Mapping[str, frozenset[str]]
    """Model → the tasks whose own text it was trained on."""
    shares: Shares
    verdicts: Verdicts
    speeds: Sequence[Found]
    published: Cells
    registry: Registry


def rows_of(materials: Materials, columns: Sequence[TaskColumn]) -> list[BoardRow]:
    """Every row without its places, models in the order of `facts`."""
    by_model: dict[str, list[BoardRow]] = defaultdict(list)
    for row in _measured_rows(materials):
        by_model[row.facts.id].append(row)
    shares = published_shares(materials.published, materials.facts, {column.key: column.chance for column in columns})
    made: list[BoardRow] = []
    for model, facts in materials.facts.items():
        cells = materials.published.get(model, {})
        printed = {key: replace(cell.figure, retained=shares.get((model, key))) for key, cell in cells.items()}
        entry = materials.registry.models.get(model)
        ups = published_speedups(entry, materials.registry) if entry is not None else ()
        made.extend(_with_published(by_model[model] or [BoardRow(facts)], printed, ups, columns))
    return made


def _measured_rows(materials: Materials) -> Iterator[BoardRow]:
    grid: dict[RowKey, dict[ColumnKey, list[Figure]]] = defaultdict(lambda: defaultdict(list))
    for result in materials.results:
        grid[result.row][result.key].append(_figure(result, materials))
    speeds: dict[RowKey, list[SpeedUp]] = defaultdict(list)
    for found in materials.speeds:
        speeds[found.row].append(found.speedup)
    for key in dict.fromkeys([*grid, *speeds]):
        figures = {column: in_order(cell) for column, cell in grid[key].items()}
        ups = tuple(sorted(speeds[key], key=lambda up: (up.rule, up.against, up.source, up.detail)))
        yield BoardRow(materials.facts[key.model], key.backend, key.dtype, key.hardware, figures, ups)


def _figure(result: Result, materials: Materials) -> Figure:
    """A result's figure with what else is known of it."""
    figure = result.figure
    key = figure.run_id or "", ScoreKey(result.key.task, result.metric, result.filter)
    verdict = materials.verdicts.get(key)
    chosen_by = materials.selected.get(result.row.model, frozenset())
    trained = is_among(materials.trained.get(result.row.model, ()), result.key.task, result.members)
    notes = (*figure.notes, *((NOTE,) if trained else ()), *((verdict.note,) if verdict and verdict.note else ()))
    return replace(
        figure,
        selected_on=benchmark_name(result.key.task) in chosen_by or result.key.task in chosen_by,
        notes=notes,
        verdict=verdict.word if verdict else "",
        retained=materials.shares.get(key),
    )


def _with_published(
    ways: Sequence[BoardRow],
    printed: Mapping[ColumnKey, Figure],
    ups: tuple[SpeedUp, ...],
    columns: Sequence[TaskColumn],
) -> list[BoardRow]:
    """A model's rows, the first of which bears what is published."""
    first = lead(ways, columns)
    figures = {key: list(cell) for key, cell in first.figures.items()}
    for key, figure in printed.items():
        figures.setdefault(key, []).append(figure)
    bearing = replace(
        first, figures={key: in_order(cell) for key, cell in figures.items()}, speedups=(*first.speedups, *ups)
    )
    return [bearing, *(row for row in ways if row is not first)]


def selections(
    facts: Mapping[str, ModelFacts], subjects: Mapping[str, str], registry: Registry
) -> dict[str, frozenset[str]]:
    """Model → the benchmarks that chose its shape, of models of the registry under whatever name they are shown."""
    return {
        model: selected_tasks(registry.models.get(subjects.get(model, model)))
        for model, known in facts.items()
        if known.registered
    }
