"""How much more a model serves than its parent at one latency limit: each at the largest output rate that keeps it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.stats.ratio import speed_ratio
from reports.cells import text
from reports.speed.pairs import way_of
from reports.speed.queries import Store, output_rates
from reports.speed.section import SpeedRows

LIMITS = (0.03, 0.1)
"""Seconds between two tokens: what MLPerf Inference asks of llama3.1-8b, interactive and server."""
SEED = 0
MOST_LINES = 100


@dataclass(frozen=True)
class Served:
    """The point with the highest output rate among those of one model and one way that keep the limit."""

    run: str
    task: str
    batch: int
    rate: float


@dataclass(frozen=True)
class LatencyLine:
    """A model over its parent at one limit: median output rate over median output rate."""

    limit: float
    model: str
    against: str
    way: str
    input: int
    output: int
    ours: Served
    theirs: Served
    ratio: float
    lower: float | None
    upper: float | None


Way = tuple[str, str, str, int, int]
"""Source, who gave it, engine with dtype and weights, tokens in and out: what both sides have in common."""


def at_equal_latency(rows: SpeedRows, parents: Mapping[str, str | None], store: Store) -> tuple[LatencyLine, ...]:
    """A line a limit and pair of child and parent that were both timed in one way; by limit, model and way.

    A point keeps a limit by the 99th percentile of its inter-token latency; one that has too few steps for it does not count.
    """
    found: list[tuple[float, str, str, Way, Served, Served]] = []
    for limit in LIMITS:
        best = _best(rows, limit)
        for (model, way), ours in best.items():
            parent = parents.get(model)
            theirs = best.get((parent, way)) if parent else None
            if parent and theirs:
                found.append((limit, model, parent, way, ours, theirs))
    found = sorted(found, key=lambda each: each[:4])[:MOST_LINES]
    sides = sorted({(side.run, side.task) for *_, ours, theirs in found for side in (ours, theirs)})
    rates = output_rates(store, sides)
    return tuple(_line(*each, rates) for each in found)


def _best(rows: SpeedRows, limit: float) -> dict[tuple[str, Way], Served]:
    figures: dict[tuple[str, str], dict[tuple[str, str], float | None]] = defaultdict(dict)
    for row in rows.figures:
        figures[text(row["run_id"]), text(row["task"])][text(row["metric"]), text(row["statistic"])] = row["value"]
    best: dict[tuple[str, Way], Served] = {}
    for point in rows.points:
        own = figures[text(point["run_id"]), text(point["task"])]
        rate, wait = own.get(("output_rate", "p50")), own.get(("itl", "p99"))
        sizes = (point["batch"], point["input_tokens"], point["output_tokens"])
        if not point["valid"] or point["status"] != "ok" or None in (rate, wait, *sizes) or not (wait or 0) <= limit:
            continue
        served = Served(text(point["run_id"]), text(point["task"]), point["batch"], rate or 0.0)
        way = (text(point["source"]), text(point["contributed_by"]), way_of(point), sizes[1], sizes[2])
        kept = best.get((text(point["model"]), way))
        if kept is None or _better(served) < _better(kept):
            best[text(point["model"]), way] = served
    return best


def _better(served: Served) -> tuple[float, int, str, str]:
    return -served.rate, served.batch, served.run, served.task


def _line(
    limit: float,
    model: str,
    against: str,
    way: Way,
    ours: Served,
    theirs: Served,
    rates: Mapping[tuple[str, str], Sequence[float]],
) -> LatencyLine:
    _, _, told, tokens_in, tokens_out = way
    try:
        found: Any = speed_ratio(
            rates.get((ours.run, ours.task), ()), rates.get((theirs.run, theirs.task), ()), True, SEED
        )
    except ValueError:  # too few trials for an interval
        found = None
    ratio = found.value if found else ours.rate / theirs.rate
    ends = (found.lower, found.upper) if found else (None, None)
    return LatencyLine(limit, model, against, told, tokens_in, tokens_out, ours, theirs, ratio, *ends)
