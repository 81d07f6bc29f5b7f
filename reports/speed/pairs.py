"""Accuracy beside speed: what was timed in one way on one piece of hardware, and each model's scores of the board.

Speed and accuracy need not come from one run: a model scores alike on any hardware but for rounding, and is timed with drawn
weights too. What was not timed stands at its roofline, marked as such.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from harness.records.record import precision
from reports.board.model import Board, ColumnKey, Figure, ModelFacts
from reports.cells import text
from reports.speed.limits import Shape, most_tokens_per_s
from reports.speed.section import SpeedRows
from zoo.arch.gpus import Gpu
from zoo.registry.loader import Registry

SpeedSource = Literal["measured", "imported", "contributed", "limit"]
MOST_SETTINGS = 2
SOURCES: tuple[str, ...] = ("measured", "imported", "contributed", "published")
"""Whose score of a model counts first."""


class Setting(NamedTuple):
    """What speeds must have in common to be compared."""

    batch: int
    input: int
    output: int


DEFAULT = Setting(1, Shape().input, Shape().output)
"""Of hardware on which nothing was timed: the workload batch1."""


@dataclass(frozen=True)
class Measured:
    """A number with its interval, where there is one."""

    value: float
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class Pair:
    """A model in one way of running it, or at its roofline: how fast, and how good."""

    facts: ModelFacts
    way: str
    """Engine, dtype and weights; `roofline` of a limit."""
    source: SpeedSource
    rate: Measured
    """Output tokens a second; of a limit at most so many."""
    energy: Measured | None
    """Joules a token."""
    run: str | None
    scores: Mapping[ColumnKey, Figure] = field(default_factory=dict[ColumnKey, Figure])


def settings_of(rows: SpeedRows) -> tuple[Setting, ...]:
    """The settings in which most models were timed, the smallest batch first; DEFAULT where nothing was."""
    models: dict[Setting, set[str]] = defaultdict(set)
    for point in rows.points:
        setting = _setting(point)
        if setting is not None and _valid(point):
            models[setting].add(text(point["model"]))
    most = sorted(models, key=lambda setting: (-len(models[setting]), setting != DEFAULT, setting))
    return tuple(sorted(most[:MOST_SETTINGS])) or (DEFAULT,)


def pairs_at(setting: Setting, rows: SpeedRows, board: Board, registry: Registry, gpu: Gpu | None) -> tuple[Pair, ...]:
    """What was timed in that setting, then the roofline of each registry model that was not and whose score is known."""
    scores, facts = scores_of(board), _facts(board)
    figures: dict[tuple[str, str], dict[tuple[str, str], Mapping[str, Any]]] = defaultdict(dict)
    for row in rows.figures:
        figures[text(row["run_id"]), text(row["task"])][text(row["metric"]), text(row["statistic"])] = row
    timed: list[Pair] = []
    for point in rows.points:
        own = figures[text(point["run_id"]), text(point["task"])]
        rate = _figure(own, "output_rate")
        if not _valid(point) or _setting(point) != setting or rate is None:
            continue
        model = text(point["model"])
        known = facts.get(model) or ModelFacts(model, model, registered=False, kind="unknown", family="unregistered")
        energy = _figure(own, "joules_per_token")
        timed.append(
            Pair(known, way_of(point), _source(point), rate, energy, text(point["run_id"]), scores.get(model, {}))
        )
    there = {pair.facts.id for pair in timed}
    shape = Shape(setting.input, setting.output)
    limits = [
        Pair(facts[model.id], "roofline", "limit", Measured(rate), None, None, scores[model.id])
        for model in registry.models.values()
        if gpu and model.id in scores and model.id not in there
        for rate in [most_tokens_per_s(model, gpu, shape, setting.batch)]
        if rate is not None
    ]
    return (*sorted(timed, key=_order), *sorted(limits, key=_order))


def scores_of(board: Board) -> dict[str, dict[ColumnKey, Figure]]:
    """Model → the figure of each column that counts first: whole tasks alone, measured before imported before published."""
    found: dict[str, dict[ColumnKey, Figure]] = {}
    for row in board.rows:
        for key, figures in row.figures.items():
            for figure in figures:
                if _finite(figure.value) is None or (figure.n and figure.total and figure.n < figure.total):
                    continue
                kept = found.setdefault(row.facts.id, {}).get(key)
                if kept is None or _first(figure) < _first(kept):
                    found[row.facts.id][key] = figure
    return found


def panels_of(pairs: Sequence[Pair], board: Board, most: int) -> tuple[tuple[ColumnKey, str], ...]:
    """The columns and kinds of model in which a picture says most: measured pairs first, then pairs at all; two at least.

    Base, instruct and reasoning models never share a picture.
    """
    order = {column.key: at for at, column in enumerate(board.columns) if column.higher_is_better}
    everything: Counter[tuple[ColumnKey, str]] = Counter()
    measured: Counter[tuple[ColumnKey, str]] = Counter()
    for pair in pairs:
        for key in pair.scores:
            everything[key, pair.facts.kind] += key in order
            measured[key, pair.facts.kind] += key in order and is_measured(pair, key)
    good = [panel for panel, count in everything.items() if count >= 2]
    return tuple(sorted(good, key=lambda p: (-measured[p], -everything[p], order[p[0]], p[1]))[:most])


def is_measured(pair: Pair, key: ColumnKey) -> bool:
    """Whether both its speed and its score come from runs, and from no data sheet or paper."""
    return pair.source != "limit" and key in pair.scores and pair.scores[key].source != "published"


def frontier(points: Iterable[tuple[float, float]], more_is_better: bool = True) -> list[tuple[float, float]]:
    """The points (speed or cost, score) that no other beats, by rising first number.

    One beats another by being at least as good in both and better in one.
    """
    best_first = sorted(set(points), key=lambda point: (-point[0] if more_is_better else point[0], -point[1]))
    kept: list[tuple[float, float]] = []
    for point in best_first:
        if not kept or point[1] > kept[-1][1]:
            kept.append(point)
    return sorted(kept)


def _facts(board: Board) -> dict[str, ModelFacts]:
    return {row.facts.id: row.facts for row in reversed(board.rows)}


def _first(figure: Figure) -> tuple[int, tuple[int, ...], str]:
    """The smallest counts: by source, then the newest; then by run, so that the order of rows decides nothing."""
    newest = tuple(-ord(character) for character in figure.finished_at)
    return SOURCES.index(figure.source), newest, figure.run_id or figure.origin


def _order(pair: Pair) -> tuple[Any, ...]:
    return (-pair.rate.value, pair.facts.id, pair.way, pair.source, pair.run or "")


def _valid(point: Mapping[str, Any]) -> bool:
    return bool(point["valid"]) and point["status"] == "ok"


def _setting(point: Mapping[str, Any]) -> Setting | None:
    """None of an open loop, and of a point whose lengths are not told."""
    sizes = (point["batch"], point["input_tokens"], point["output_tokens"])
    return None if None in sizes else Setting(*sizes)


def way_of(point: Mapping[str, Any]) -> str:
    """In what a point was run: engine, dtypes, and weights that are not its own."""
    weights = text(point["weights"])
    told = (
        text(point["backend"]),
        precision(text(point["dtype"]), point["compute_dtype"]),
        "" if weights == "real" else f"{weights} weights",
    )
    return ", ".join(filter(None, told))


def _source(point: Mapping[str, Any]) -> SpeedSource:
    source = point["source"]
    return source if source in ("imported", "contributed") else "measured"


def _figure(figures: Mapping[tuple[str, str], Mapping[str, Any]], metric: str) -> Measured | None:
    """The median with its interval, else the mean; None where neither is a number above 0."""
    for statistic in ("p50", "mean"):
        row = figures.get((metric, statistic))
        value = _finite(row["value"]) if row else None
        if row and value is not None and value > 0:
            ends = (_finite(row["lower"]), _finite(row["upper"])) if statistic == "p50" else (None, None)
            return Measured(value, *ends)
    return None


def _finite(value: float | None) -> float | None:
    """The number; None for what is none."""
    return None if value is None or not math.isfinite(value) else value
