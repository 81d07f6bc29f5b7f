"""How much faster than its parent a model is on each piece of hardware: at equal batch, equal memory, an equal latency limit.

Of several points of one rule the least speed-up is shown, with the range of all: no point is picked because it flatters.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from harness.store.query import Reader
from reports.board.measured import RowKey, row_of
from reports.board.model import ModelFacts, Source, SpeedUp
from reports.board.stored import parents_of
from zoo.registry.loader import Model, Registry
from zoo.registry.published import Speed

RATE = "output_rate"
LATENCY = "tpot"
ROUND = (1, 2, 5, 10)
"""Of these times a power of ten is a latency limit that no workload states."""
RATIOS = """
SELECT v.*, r.processor, r.compute_dtype, p.input_tokens, p.output_tokens
FROM speed_ratios v JOIN records r USING (run_id, task) JOIN speed_points p USING (run_id, task)
WHERE v.valid AND v.metric = 'output_rate' AND isfinite(v.ratio) AND v.ratio > 0
QUALIFY row_number() OVER (
  PARTITION BY v.model, v.against, v.backend, v.device, v.gpu, r.processor, v.dtype, r.compute_dtype, v.workload, v.mode,
               p.input_tokens, p.output_tokens, v.batch, v.against_batch, v.weights, v.source, v.contributed_by
  ORDER BY v.finished_at DESC, v.run_id DESC
) = 1
ORDER BY v.finished_at DESC, v.run_id DESC, v.task
"""
"""The newest valid ratio of each pairing of points."""
POINTS = """
SELECT s.run_id, s.task, s.finished_at, s.model, s.backend, s.device, s.gpu, r.processor, s.dtype, s.compute_dtype, s.workload,
       s.input_tokens, s.output_tokens, s.batch, s.weights, p.tpot_limit, s.metric, s.value, s.lower, s.upper
FROM speed s JOIN records r USING (run_id, task) JOIN speed_points p USING (run_id, task)
WHERE s.valid AND s.status = 'ok' AND s.statistic = 'p50' AND s.metric IN ('output_rate', 'tpot') AND s.batch IS NOT NULL
  AND s.source = 'measured' AND isfinite(s.value) AND s.value > 0
QUALIFY row_number() OVER (
  PARTITION BY s.model, s.backend, s.device, s.gpu, r.processor, s.dtype, s.compute_dtype, s.workload, s.input_tokens,
               s.output_tokens, s.batch, s.weights, s.metric
  ORDER BY s.finished_at DESC, s.run_id DESC
) = 1
ORDER BY s.model, s.batch, s.task
"""
"""The newest valid rate and time a token of each closed-loop point."""


class Circumstance(NamedTuple):
    """What points of two models have in common."""

    workload: str
    input_tokens: int | None
    output_tokens: int | None
    weights: str
    tpot_limit: float | None
    """Seconds a token, where the workload states a limit."""


@dataclass(frozen=True)
class Found:
    """A speed-up and the row that it belongs to."""

    row: RowKey
    speedup: SpeedUp


@dataclass(frozen=True)
class Point:
    """What a model does at one batch: tokens/s, and seconds a token, with the ends of their intervals."""

    batch: int
    run_id: str
    backend: str
    rate: float
    rate_lower: float | None
    rate_upper: float | None
    latency: float


def measured_speedups(
    reader: Reader, facts: Mapping[str, ModelFacts], shown: Mapping[str, tuple[str, ...]]
) -> list[Found]:
    """A speed-up for each row, other model and rule of the store; `shown` as `stored.shown_by` makes it."""
    ratios: dict[tuple[RowKey, str, str, Source, str], list[SpeedUp]] = defaultdict(list)
    for row in reader.rows(RATIOS):
        made = _of_ratio(row)
        ratios[row_of(row), made.against, made.rule, made.source, row["contributed_by"] or ""].append(made)
    found = [Found(key[0], _least(ups)) for key, ups in ratios.items()]
    return [*found, *_at_equal_latency(reader.rows(POINTS), facts, shown)]


def published_speedups(model: Model, registry: Registry) -> tuple[SpeedUp, ...]:
    """What sources print of a model's speed over another's."""
    return tuple(_of_speed(speed, registry) for speed in model.speeds)


def _of_ratio(row: Mapping[str, Any]) -> SpeedUp:
    told = (
        row["backend"],
        _batches(row["batch"], row["against_batch"]),
        _workload(row),
        "random weights" if row["weights"] == "random" else "",
    )
    return SpeedUp(
        hardware=row_of(row).hardware,
        rule=row["mode"],
        ratio=row["ratio"],
        lower=row["lower"],
        upper=row["upper"],
        against=row["against"],
        source=row["source"],
        run_id=row["run_id"],
        detail=", ".join(filter(None, told)),
    )


def _least(ups: Sequence[SpeedUp]) -> SpeedUp:
    """The least of several points, in whatever order they come."""
    least = min(ups, key=lambda up: (up.ratio, up.detail, up.run_id or ""))
    if len(ups) == 1:
        return least
    return replace(
        least, detail=f"{least.detail}; the least of {len(ups)} points, up to {max(u.ratio for u in ups):.2f}×"
    )


def _at_equal_latency(
    rows: Iterable[Mapping[str, Any]], facts: Mapping[str, ModelFacts], shown: Mapping[str, tuple[str, ...]]
) -> Iterator[Found]:
    """The most tokens/s of a model within a limit on the time a token, over the most of its parent within the same.

    The limit is the workload's, else the round one above the parent's time a token at its best. Only batches at which both
    were measured count. The two were not measured in turn: the interval is from the far ends of both rates, and so too wide
    rather than too narrow.
    """
    points = _points(rows)
    for (key, circumstance), own in points.items():
        for parent in parents_of(facts[key.model], shown):
            other = RowKey(parent, *key[1:])
            theirs = points.get((other, circumstance), {})
            both = sorted(own.keys() & theirs.keys())
            if len(both) > 1:
                found = _latency_speedup(
                    [own[batch] for batch in both], [theirs[batch] for batch in both], circumstance
                )
                if found is not None:
                    yield Found(key, replace(found, hardware=key.hardware, against=parent))


def _points(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[RowKey, Circumstance], dict[int, Point]]:
    """(row, circumstance) → batch → its point, where both figures come from one run."""
    pairs: dict[tuple[RowKey, Circumstance, int, str], dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in rows:
        circumstance = Circumstance(*(row[name] for name in Circumstance._fields))
        pairs[row_of(row), circumstance, row["batch"], row["run_id"]][row["metric"]] = row
    found: dict[tuple[RowKey, Circumstance], dict[int, Point]] = defaultdict(dict)
    for (key, circumstance, batch, run_id), metrics in pairs.items():
        rate, latency = metrics.get(RATE), metrics.get(LATENCY)
        if rate is not None and latency is not None:
            found[key, circumstance][batch] = Point(
                batch, run_id, key.backend, rate["value"], rate["lower"], rate["upper"], latency["value"]
            )
    return found


def _latency_speedup(own: Sequence[Point], theirs: Sequence[Point], circumstance: Circumstance) -> SpeedUp | None:
    """None where one of the two keeps the limit at no batch."""
    limit = circumstance.tpot_limit or round_above(max(theirs, key=lambda point: point.rate).latency)
    ours, best = _fastest_within(own, limit), _fastest_within(theirs, limit)
    if ours is None or best is None:
        return None
    told = (
        ours.backend,
        f"at most {limit * 1000:g} ms a token",
        _batches(ours.batch, best.batch),
        _workload(circumstance._asdict()),
        "random weights" if circumstance.weights == "random" else "",
        "not measured in turn",
    )
    return SpeedUp(
        hardware="",
        rule="equal latency",
        ratio=ours.rate / best.rate,
        lower=_over(ours.rate_lower, best.rate_upper),
        upper=_over(ours.rate_upper, best.rate_lower),
        against="",
        source="measured",
        run_id=ours.run_id,
        detail=", ".join(filter(None, told)),
    )


def _fastest_within(points: Sequence[Point], limit: float) -> Point | None:
    return max((point for point in points if point.latency <= limit), key=lambda point: point.rate, default=None)


def round_above(seconds: float) -> float:
    """The next of 1, 2 or 5 times a power of ten: 0.0146 → 0.02."""
    power = 10.0 ** math.floor(math.log10(seconds))
    return next(step * power for step in ROUND if step * power >= seconds * (1 - 1e-12))


def _over(a: float | None, b: float | None) -> float | None:
    return None if a is None or not b or b < 0 else a / b


def _of_speed(speed: Speed, registry: Registry) -> SpeedUp:
    equal = speed.batch is not None and speed.batch == speed.against_batch
    told = (
        speed.engine,
        speed.dtype,
        speed.metric,
        _batches(speed.batch, speed.against_batch) if speed.batch and speed.against_batch else "batch not stated",
        registry.sources[speed.source].title,
    )
    return SpeedUp(
        hardware=speed.gpu,
        rule="equal batch" if equal else "published",
        ratio=speed.ratio,
        lower=None,
        upper=None,
        against=speed.against,
        source="published",
        run_id=None,
        detail=", ".join(told),
    )


def _batches(own: int | None, theirs: int | None) -> str:
    if own is None or theirs is None:
        return ""
    return f"batch {own}" if own == theirs else f"batch {own} against {theirs}"


def _workload(row: Mapping[str, Any]) -> str:
    shape = (
        f" {row['input_tokens']} → {row['output_tokens']} tokens"
        if row["input_tokens"] and row["output_tokens"]
        else ""
    )
    return f"{row['workload'] or ''}{shape}".strip()
