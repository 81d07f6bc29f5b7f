"""The board, made from the store and the registry."""

from __future__ import annotations

from collections.abc import Sequence

from harness.store.query import Reader
from reports.board.columns import ColumnFacts, columns_of
from reports.board.facts import all_facts
from reports.board.measured import ISO, Result, behind_groups, failures_of, results_of
from reports.board.model import Board, ColumnKey
from reports.board.order import in_place, ranked
from reports.board.paired import measured_shares, pairs_of
from reports.board.published import Cells, published_cells
from reports.board.rows import Materials, rows_of, selections
from reports.board.speedups import measured_speedups
from reports.board.stored import shown_by, stored_models
from reports.board.verdicts import verdicts_of
from reports.cells import moment
from zoo.registry.loader import Registry

RUNS = "SELECT count(DISTINCT run_id) AS runs, max(finished_at) AS newest FROM records"


def build_board(reader: Reader, registry: Registry) -> Board:
    """Everything that the leaderboard shows of the results that the reader reads and of the registry's published scores."""
    models = stored_models(reader)
    shown = shown_by(models)
    facts = all_facts(models, shown, registry)
    behind = behind_groups(reader)
    found = results_of(reader, behind)
    published = published_cells(registry, {result.key for result in found if result.primary})
    known = _known(found, published)
    columns = columns_of(known, registry)
    results = [result for result in found if result.key in known]
    materials = Materials(
        results=results,
        facts=facts,
        selected=selections(facts, {one.model: one.subject for one in models}, registry),
        trained={one.model: one.trained_on for one in models},
        shares=measured_shares(reader, pairs_of(results, facts, shown)),
        verdicts=verdicts_of(reader, {result.figure.run_id or "" for result in results}),
        speeds=measured_speedups(reader, facts, shown),
        published=published,
        registry=registry,
    )
    rows = ranked(in_place(rows_of(materials, columns), columns), columns)
    counted = [figure.source for row in rows for cell in row.figures.values() for figure in cell]
    ran = reader.rows(RUNS)[0]
    return Board(
        columns=columns,
        rows=tuple(rows),
        failures=failures_of(reader, behind),
        measured=counted.count("measured"),
        imported=counted.count("imported") + counted.count("contributed"),
        published=counted.count("published"),
        runs=ran["runs"],
        newest=moment(ran["newest"], ISO),
    )


def _known(results: Sequence[Result], published: Cells) -> dict[ColumnKey, ColumnFacts]:
    """A column for each metric that a suite is about and each that was published; a task's further metrics have none."""
    found: dict[ColumnKey, ColumnFacts] = {}
    for key in (key for cells in published.values() for key in cells):
        found.setdefault(key, ColumnFacts(higher_is_better=True)).figures += 1
    for result in results:
        if result.primary:
            found.setdefault(result.key, ColumnFacts())
    for result in results:  # newest first
        if (facts := found.get(result.key)) is None:
            continue
        facts.figures += 1
        if facts.higher_is_better is None:
            facts.higher_is_better = result.higher_is_better
        if facts.chance is None and not result.is_part:
            facts.chance = result.chance
    return found
