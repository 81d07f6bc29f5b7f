"""Published scores as figures: one a model and column, in our metrics' words where the protocol is ours."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.metrics.published import Expected, expected_scores
from harness.records.trained_on import NOTE
from harness.stats.estimate import Estimate
from harness.stats.intervals import wilson_interval
from reports.board.columns import NORMALISED, benchmark_name, is_of_a_suite, key_of, measured_filter, protocol_of
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
    estimate: Estimate
    """The value with its sampling interval, where it is known of how many documents it is a share."""
    n: int | None
    notes: tuple[str, ...] = ()
    """What the source leaves open and is taken as the suite's; what part, how sampled; that it is no share of documents."""


@dataclass(frozen=True)
class PublishedCell:
    """The score that stands in a cell, and those that say otherwise."""

    ranked: tuple[Published, ...]
    """All that were published of it, the chosen one first."""
    figure: Figure


Cells = Mapping[str, Mapping[ColumnKey, PublishedCell]]
"""Model → column → cell."""


def published_cells(registry: Registry, measured: Collection[ColumnKey] = ()) -> Cells:
    """Every published score of the registry, one a model and column: the one printed with more digits, and never a copy's
    beside what it copies. `measured`: the columns of what was measured, which published scores join."""
    by_model: dict[str, list[Published]] = {}
    for one in _placed(registry, measured):
        by_model.setdefault(one.score.model, []).append(one)
    return {model: _cells(model, found, registry) for model, found in by_model.items()}


def _placed(registry: Registry, measured: Collection[ColumnKey]) -> Iterator[Published]:
    """Each score once, though several of our tasks may measure it: as the one that a suite runs with these shots."""
    by_score: dict[_Printed, list[Expected]] = defaultdict(list)
    for score in expected_scores(registry):
        by_score[_printed(score)].append(score)
    for printed, found in by_score.items():
        score = next((each for each in found if is_of_a_suite(each.task, each.shots)), None)
        task = printed.benchmark if score is None else score.task
        yield _published(score or found[0], task, registry, measured)


class _Printed(NamedTuple):
    """One printed score, whichever of our tasks measure it."""

    model: str
    benchmark: str
    origin: str
    protocol: str
    shots: int | None
    metric: str | None
    filter: str | None
    printed: float
    revision: str | None


def _printed(score: Expected) -> _Printed:
    told = {name: getattr(score, name) for name in _Printed._fields if name != "benchmark"}
    return _Printed(benchmark=benchmark_name(score.task), **told)


def _published(score: Expected, task: str, registry: Registry, measured: Collection[ColumnKey]) -> Published:
    key, assumed = _column(score, task, registry.models[score.model].kind, measured)
    n, grim = _documents(score, registry)
    value = float(f"{score.value:.12g}")  # 0.704, not 0.7040000000000001
    lower, upper = wilson_interval(value, n) if n else (None, None)
    notes = (assumed, _part(score), _sampling(score), _revision(score), grim)
    return Published(key, score, Estimate(value, None, lower, upper), n, tuple(filter(None, notes)))


def _column(score: Expected, task: str, kind: str, measured: Collection[ColumnKey]) -> tuple[ColumnKey, str]:
    """The column that a score stands in, and what of that its source does not say."""
    if score.scale != "raw":
        words = ", ".join(filter(None, (score.metric, NORMALISED)))
        return key_of(task, words, score.filter, score.shots), ""
    protocol = protocol_of(task, score.metric, score.filter, score.shots, kind)
    if protocol is None:
        return key_of(task, score.metric, score.filter, score.shots), ""
    name = score.filter or protocol.filter
    if name is None:
        name = measured_filter(measured, task, protocol.metric, score.shots, protocol.chat)
    unsaid = [
        *(["metric"] if score.metric is None else []),
        *(["filter"] if score.filter is None and protocol.filter is not None else []),
        *(["chat template"] if protocol.chat else []),
    ]
    key = key_of(task, protocol.metric, name, score.shots, protocol.chat)
    told = " and ".join(filter(None, (", ".join(unsaid[:-1]), *unsaid[-1:])))
    return key, f"{told} not stated by the source" if told else ""


def _cells(model: str, found: Sequence[Published], registry: Registry) -> dict[ColumnKey, PublishedCell]:
    by_key: dict[ColumnKey, list[Published]] = {}
    for one in sorted(found, key=lambda one: _preference(one, found, registry)):
        by_key.setdefault(one.key, []).append(one)
    return {key: PublishedCell(tuple(ranked), _figure(ranked, found, registry)) for key, ranked in by_key.items()}


def _preference(one: Published, found: Collection[Published], registry: Registry) -> tuple[bool, float, str]:
    """A copy comes last where what it copies prints the score too; else more digits first."""
    original = registry.sources[one.score.origin].copy_of
    is_repeated = any(other.key == one.key and other.score.origin == original for other in found)
    return is_repeated, one.score.rounding, one.score.origin


def _same(a: Expected, b: Expected) -> bool:
    """Whether two printed figures are one at the coarser of their precisions."""
    return abs(a.value - b.value) <= max(a.rounding, b.rounding) * (1 + 1e-9)


def _figure(ranked: Sequence[Published], all_of_model: Sequence[Published], registry: Registry) -> Figure:
    one, score = ranked[0], ranked[0].score
    trained = (NOTE,) if score.task in registry.trained_on(score.model) else ()
    return Figure(
        source="published",
        value=one.estimate.value,
        lower=one.estimate.lower,
        upper=one.estimate.upper,
        n=one.n,
        total=one.n,
        approximate=one.n is not None,
        origin=score.origin,
        printed=_as_printed(score.printed),
        conflicts=sum(not _same(other.score, score) for other in ranked[1:]),
        selected_on=benchmark_name(score.task) in selected_tasks(registry.models[score.model]),
        notes=tuple(dict.fromkeys([*trained, *one.notes, *_other_shots(one, all_of_model, registry)])),
    )


def _as_printed(value: float) -> str:
    """As tables print it: a whole number with one decimal."""
    return f"{value:.1f}" if value == int(value) else repr(value)


def _documents(score: Expected, registry: Registry) -> tuple[int | None, str]:
    """How many documents the score is a share of, None where that is not known or it is no share of right answers; a note."""
    benchmark = registry.benchmarks.get(benchmark_name(score.task))
    if benchmark is None or benchmark.items is None or benchmark.real_valued or score.subset or score.scale != "raw":
        return None, ""
    several = (
        score.samples_each != ONE_ANSWER if score.samples_each else bool(score.temperature)
    )  # sampled, nobody says how often
    if not 0 <= score.value <= 1 or several:
        return None, ""
    if not is_share_of(score.value, score.rounding, benchmark.items):
        printed = _as_printed(score.printed)
        return None, f"{printed} is no share of {benchmark.items:,} documents, each right or wrong"
    return benchmark.items, ""


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


def _revision(score: Expected) -> str:
    return f"of revision {score.revision}" if score.revision else ""


def _other_shots(one: Published, all_of_model: Sequence[Published], registry: Registry) -> Iterator[str]:
    """Where the same figure is printed for another number of examples, or the source contradicts itself."""
    score, benchmark = one.score, benchmark_name(one.score.task)
    for other in all_of_model:
        theirs = other.score
        alike = benchmark_name(theirs.task) == benchmark and theirs.scale == score.scale and _same(theirs, score)
        if alike and theirs.shots is not None and score.shots is not None and theirs.shots != score.shots:
            yield f"printed as {theirs.shots}-shot by {theirs.origin}"
    for name, measure in registry.protocols[score.protocol].measures.items():
        said = measure.contradicted_by
        if said is not None and (measure.task or name) == benchmark and measure.shots == score.shots:
            yield f"{said.shots}-shot by another part of {said.source}"
