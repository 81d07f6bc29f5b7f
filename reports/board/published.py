"""Published scores as figures: one a model and column, in our metrics' words where the protocol is ours."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.metrics.published import Expected, expected_scores
from harness.stats.intervals import wilson_interval
from reports.board.columns import NORMALISED, benchmark_name, is_of_a_suite, key_of, protocol_key
from reports.board.facts import selected_tasks
from reports.board.model import ColumnKey, Figure
from zoo.registry.loader import Registry

ONE_ANSWER = 1
"""Answers sampled a problem, where the score is a share of problems."""


@dataclass(frozen=True)
class Published:
    """A published score under the key of its column."""

    key: ColumnKey
    score: Expected
    assumed: str
    """What the source leaves open and is taken as the suite's, in words; empty where it is all said."""


@dataclass(frozen=True)
class PublishedCell:
    """The score that stands in a cell, and those that say otherwise."""

    chosen: Published
    others: tuple[Published, ...]
    figure: Figure


Cells = Mapping[str, Mapping[ColumnKey, PublishedCell]]
"""Model → column → cell."""


def published_cells(registry: Registry) -> Cells:
    """Every published score of the registry, one a model and column: the figure of a source of its own before a copy's, then
    the one printed with more digits."""
    by_cell: dict[str, dict[ColumnKey, list[Published]]] = {}
    for one in _placed(registry):
        by_cell.setdefault(one.score.model, {}).setdefault(one.key, []).append(one)
    return {
        model: {key: _cell(model, found, registry) for key, found in cells.items()} for model, cells in by_cell.items()
    }


def _placed(registry: Registry) -> Iterator[Published]:
    """Each score once, though several of our tasks may measure it: as the one that a suite runs with these shots."""
    by_score: dict[tuple[object, ...], list[Expected]] = defaultdict(list)
    for score in expected_scores(registry):
        name = benchmark_name(score.task)
        by_score[score.model, name, score.origin, score.protocol, score.shots, score.metric, score.filter,
                 score.printed].append(score)  # fmt: skip
    for (_, name, *_rest), found in by_score.items():
        assert isinstance(name, str)
        score = next((each for each in found if is_of_a_suite(each.task, each.shots)), None)
        yield _published(score or found[0], registry, name if score is None else score.task)


def _published(score: Expected, registry: Registry, task: str) -> Published:
    if score.scale != "raw":
        words = ", ".join(filter(None, (score.metric, NORMALISED)))
        return Published(key_of(task, words, score.filter, score.shots), score, "")
    kind = registry.models[score.model].kind
    key = protocol_key(task, score.metric, score.filter, score.shots, kind)
    if key is None:
        return Published(key_of(task, score.metric, score.filter, score.shots), score, "")
    said = key_of(task, score.metric, score.filter, score.shots)
    open_ = [name for name, ours, theirs in (("metric", key.metric, said.metric), ("filter", key.filter, said.filter))
             if ours != theirs]  # fmt: skip
    return Published(key, score, f"{' and '.join(open_)} not stated by the source" if open_ else "")


def _cell(model: str, found: Sequence[Published], registry: Registry) -> PublishedCell:
    ranked = sorted(found, key=lambda one: _preference(one, registry))
    chosen = ranked[0]
    others = tuple(one for one in ranked[1:] if not _same(one.score, chosen.score))
    return PublishedCell(chosen, others, _figure(model, chosen, len(others), registry))


def _preference(one: Published, registry: Registry) -> tuple[bool, float, str]:
    source = registry.sources[one.score.origin]
    return source.copy_of is not None, one.score.rounding, one.score.origin


def _same(a: Expected, b: Expected) -> bool:
    """Whether two printed figures are one at the coarser of their precisions."""
    return abs(a.value - b.value) <= max(a.rounding, b.rounding) * (1 + 1e-9)


def _figure(model: str, one: Published, conflicts: int, registry: Registry) -> Figure:
    score = one.score
    n, notes = _documents(score, registry)
    lower, upper = wilson_interval(score.value, n) if n else (None, None)
    return Figure(
        source="published",
        value=score.value,
        lower=lower,
        upper=upper,
        n=n,
        total=n,
        approximate=n is not None,
        origin=score.origin,
        printed=f"{score.printed:g}" if score.printed != int(score.printed) else f"{score.printed:.1f}",
        conflicts=conflicts,
        selected_on=benchmark_name(score.task) in selected_tasks(registry.models[model]),
        notes=tuple(filter(None, (one.assumed, _part(score), _sampling(score), *notes))),
    )


def _documents(score: Expected, registry: Registry) -> tuple[int | None, tuple[str, ...]]:
    """How many documents the score is a share of, None where that is not known or it is no share of right answers; notes."""
    benchmark = registry.benchmarks.get(benchmark_name(score.task))
    if benchmark is None or benchmark.items is None or benchmark.real_valued or score.subset or score.scale != "raw":
        return None, ()
    if not 0 <= score.value <= 1 or (score.samples_each or ONE_ANSWER) != ONE_ANSWER:
        return None, ()
    if not is_share_of(score.value, score.rounding, benchmark.items):
        return None, (f"no number of right answers out of {benchmark.items:,} gives {score.printed:g}",)
    return benchmark.items, ()


def is_share_of(value: float, rounding: float, n: int) -> bool:
    """Whether some k/n is printed as `value`, give or take `rounding` (the GRIM test: Brown and Heathers 2017)."""
    slack = 1e-9
    return math.floor((value + rounding) * n + slack) >= math.ceil((value - rounding) * n - slack)


def _part(score: Expected) -> str:
    return f"of {score.subset}" if score.subset else ""


def _sampling(score: Expected) -> str:
    if score.temperature is None:
        return ""
    each = f"{score.samples_each} answers a problem " if score.samples_each else ""
    return f"{each}at temperature {score.temperature:g}"
