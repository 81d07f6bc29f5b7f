"""The list of all models and of all tasks, with the words that a search finds each by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reports.board.model import Board, ColumnKey, TaskColumn
from reports.cells import ABSENT, number, size
from reports.models.grid import Cell, Column, Grid, Group, Line, Target, short
from reports.models.registered import COMMERCIAL, UNKNOWN
from reports.models.scores import ARROWS
from reports.models.story import in_short
from reports.models.subject import Subject
from zoo.registry.loader import Registry
from zoo.registry.schema import GROUPS

MODELS = (
    Column("Model"), Column("Kind"), Column("Made from"), Column("Parameters", number=True), Column("Weights", number=True),
    Column("KV a token", number=True), Column("Context", number=True), Column("Licence"), Column("Published", number=True),
    Column("Measured", number=True),
)  # fmt: skip
TASKS = (
    Column("Task"), Column("Metric, shots", wide=True), Column("Chance", number=True), Column("Models", number=True),
    Column("Published", number=True), Column("Measured", number=True), Column("On the board"),
)  # fmt: skip
OTHERS = (
    Column("Model"),
    Column("Parameters", number=True),
    Column("Published", number=True),
    Column("Note", wide=True),
)
MOST_METRICS = 4
"""Of a task, in its line."""
UNREGISTERED = "in no registry: known by their records alone"


def models(found: Sequence[Subject], registry: Registry) -> Grid:
    """All models of the board by family, in the order of the registry; those in none by their names."""
    present = {subject.facts.family for subject in found}
    families = [*(family for family in GROUPS if family in present), *sorted(present - set(GROUPS))]
    place = {name: index for index, name in enumerate(registry.models)}
    in_order = sorted(
        found, key=lambda s: (place.get(s.entry.id if s.entry else "", len(place)), s.facts.id.casefold())
    )
    names = {subject.facts.id: subject.facts.display for subject in found}
    groups = tuple(
        Group(
            f"{family}: {GROUPS.get(family, UNREGISTERED)}",
            tuple(_model(subject, names) for subject in in_order if subject.facts.family == family),
        )
        for family in families
    )
    return Grid("Every model: figures published and measured are counted, not weighed.", MODELS, groups)


def tasks(board: Board) -> Grid:
    """All tasks of the board in its order, a line a task and page of the board: its metrics there, and models with a figure."""
    groups: dict[str, dict[str, list[TaskColumn]]] = {}
    for column in board.columns:
        groups.setdefault(column.group, {}).setdefault(column.key.task, []).append(column)
    counts = _counts(board)
    return Grid(
        "Every task of which the board has a figure.",
        TASKS,
        tuple(
            Group("", tuple(_task(task, columns, group, counts) for task, columns in by_task.items()))
            for group, by_task in groups.items()
        ),
    )


def others(registry: Registry) -> Grid | None:
    """Rows of published tables that are no models of the registry: they are compared with, and have no page."""
    if not registry.compared:
        return None
    lines = tuple(
        Line(
            (
                Cell(row.display),
                Cell(ABSENT if row.parameters is None else in_short(row.parameters)),
                Cell(f"{len(row.published_scores):,}"),
                Cell(row.note or ""),
            ),
            _words((row.id, row.display)),
        )
        for row in registry.compared.values()
    )
    return Grid("Models that published tables compare with, without a page: the registry has their scores alone.", OTHERS,
                (Group("", lines),))  # fmt: skip


def _model(subject: Subject, names: dict[str, str]) -> Line:
    facts, parent = subject.facts, subject.facts.parent
    licence = "" if facts.licence is None else COMMERCIAL[facts.commercial]
    elsewhere = subject.entry.lineage.parent_elsewhere if subject.entry and subject.entry.lineage else None
    known = subject.entry.names if subject.entry else ()
    published, measured = subject.count(published=True), subject.count(published=False)
    cells = (
        Cell(
            short(facts.display, 60),
            "" if facts.id == facts.display else short(facts.id, 60),
            Target("model", facts.id),
        ),
        Cell(facts.kind),
        Cell(short(names.get(parent, parent), 60), to=Target("model", parent)) if parent else Cell(elsewhere or ABSENT),
        Cell(ABSENT if facts.parameters is None else in_short(facts.parameters)),
        Cell(UNKNOWN if facts.weight_bytes is None else size(facts.weight_bytes)),
        Cell(ABSENT if facts.kv_bytes_per_token is None else f"{facts.kv_bytes_per_token / 1024:,.4g} KiB"),
        Cell(UNKNOWN if facts.context is None else f"{facts.context:,}"),
        Cell(short(facts.licence or UNKNOWN, 40), licence),
        Cell(f"{published:,}" if published else ABSENT),
        Cell(f"{measured:,}" if measured else ABSENT),
    )
    return Line(
        cells, _words((facts.id, facts.display, facts.kind, facts.family, parent, facts.licence, facts.hub, *known))
    )


def _counts(board: Board) -> dict[ColumnKey, tuple[set[str], int, int]]:
    """Column → the models that have a figure, how many are published, how many measured."""
    found: dict[ColumnKey, tuple[set[str], int, int]] = {}
    for row in board.rows:
        for key, figures in row.figures.items():
            models, published, measured = found.setdefault(key, (set[str](), 0, 0))
            here = sum(figure.source == "published" for figure in figures)
            models.add(row.facts.id)
            found[key] = (models, published + here, measured + len(figures) - here)
    return found


def _task(
    task: str, columns: Sequence[TaskColumn], group: str, counts: dict[ColumnKey, tuple[set[str], int, int]]
) -> Line:
    here = [counts[column.key] for column in columns if column.key in counts]
    models = {model for names, _, _ in here for model in names}
    published, measured = sum(count for _, count, _ in here), sum(count for _, _, count in here)
    how = list(dict.fromkeys(_how(column) for column in columns))
    chances = list(dict.fromkeys(column.chance for column in columns if column.chance is not None))
    cells = (
        Cell(short(task)),
        Cell("; ".join(how[:MOST_METRICS]) + (f"; {len(how) - MOST_METRICS} more" if len(how) > MOST_METRICS else "")),
        Cell(", ".join(number(chance) for chance in chances) or ABSENT),
        Cell(f"{len(models):,}"),
        Cell(f"{published:,}" if published else ABSENT),
        Cell(f"{measured:,}" if measured else ABSENT),
        Cell(short(group, 40), to=Target("board", group)),
    )
    return Line(cells, _words((task, group, *how)))


def _how(column: TaskColumn) -> str:
    key = column.key
    filtered = "" if key.filter in ("", "none") else f" ({key.filter})"
    shots = "" if key.shots is None else f", {key.shots}-shot"
    metric = short(key.metric, 40) or "metric not stated"
    return f"{metric}{short(filtered, 40)}{shots} {ARROWS[column.higher_is_better]}".rstrip()


def _words(parts: Iterable[str | None]) -> str:
    """What a search finds a line by, each word once, in small letters."""
    return short(" ".join(dict.fromkeys(" ".join(part for part in parts if part).casefold().split())), 600)
