"""The speeds of a run, as lines of a page: what was measured of each point, ratios, and scoring beside another engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.metrics.speed_metrics import load_metrics
from reports.cells import count, interval, number, text
from reports.runs.facts import seconds
from reports.runs.rows import Row, RunRows

STATISTICS = ("p50", "p90", "p99", "mean")
"""Columns of the table, those that any figure has."""

MILLI = 1000
"""Seconds are shown in thousandths, for a token takes some."""


@dataclass(frozen=True)
class Statistic:
    """A figure, or why there is none."""

    value: str = ""
    interval: str = ""
    refused: str = ""


@dataclass(frozen=True)
class MetricLine:
    """A metric of a point."""

    name: str
    formula: str
    unit: str
    cells: tuple[Statistic, ...]
    """By the table's columns."""
    n: str


@dataclass(frozen=True)
class RatioLine:
    """How many times as fast as another model."""

    against: str
    run_id: str
    rule: str
    metric: str
    batches: str
    ratio: str
    interval: str
    valid: bool


@dataclass(frozen=True)
class PointLine:
    """A point of a workload."""

    task: str
    what: str
    valid: bool
    reasons: str
    notes: str
    statistics: tuple[str, ...]
    metrics: tuple[MetricLine, ...]
    ratios: tuple[RatioLine, ...]


@dataclass(frozen=True)
class BesideLine:
    """A task that was scored beside another engine."""

    task: str
    part: str
    time: str
    reference: str
    reference_time: str
    ratio: str
    flips: str


def point_lines(rows: RunRows) -> list[PointLine]:
    """Every point of the run that has figures, in the order in which they were measured."""
    order = [record["task"] for record in rows.records]
    return [_point(task, point, rows) for task in order for point in rows.points[task]]


def beside_lines(rows: RunRows) -> list[BesideLine]:
    """Every task of the run that was scored beside another engine."""
    return [
        BesideLine(
            task=row["task"],
            part=f"{count(row['documents'])} of {count(row['of'])}",
            time=seconds(row["seconds"]),
            reference=text(row["reference"]),
            reference_time=seconds(row["reference_seconds"]),
            ratio="" if row["ratio"] is None else f"{number(row['ratio'])}×",
            flips=count(row["flips"]),
        )
        for record in rows.records
        for row in rows.beside[record["task"]]
    ]


def _point(task: str, point: Row, rows: RunRows) -> PointLine:
    figures = rows.speed[task]
    columns = tuple(name for name in STATISTICS if any(row["statistic"] == name for row in figures))
    return PointLine(
        task=task,
        what=", ".join(_what(point)),
        valid=bool(point["valid"]),
        reasons=text(point["reasons"]),
        notes=text(point["notes"]),
        statistics=columns,
        metrics=tuple(_metrics(figures, columns)),
        ratios=tuple(_ratio(row) for row in rows.ratios[task]),
    )


def _what(point: Row) -> Iterator[str]:
    for name, unit in (("input_tokens", "tokens in"), ("output_tokens", "tokens out")):
        if point[name] is not None:
            yield f"{point[name]:,} {unit}"
    if point["batch"] is not None:
        yield f"batch {point['batch']:,}"
    if point["rate"] is not None:
        yield f"{point['rate']:g} requests/s"
    if point["weights"] == "random":
        yield "random weights of the true shapes"


def _metrics(figures: Sequence[Row], columns: Sequence[str]) -> Iterator[MetricLine]:
    known = load_metrics()
    by_metric: dict[str, dict[str, Row]] = {}
    for row in figures:
        by_metric.setdefault(row["metric"], {})[row["statistic"]] = row
    order = {name: place for place, name in enumerate(known)}
    for name in sorted(by_metric, key=lambda name: (order.get(name, len(order)), name)):
        found = by_metric[name]
        row = next(iter(found.values()))
        yield MetricLine(
            name=known[name].display if name in known else name,
            formula=known[name].formula if name in known else "",
            unit="ms" if row["unit"] == "s" else text(row["unit"]),
            cells=tuple(_statistic(found.get(column)) for column in columns),
            n=count(max((row["n"] or 0 for row in found.values()), default=0)),
        )


def _statistic(row: Mapping[str, Any] | None) -> Statistic:
    if row is None:
        return Statistic()
    if row["value"] is None:
        return Statistic(refused=text(row["refused"]))
    scale = MILLI if row["unit"] == "s" else 1
    value, *ends = (None if row[name] is None else scale * row[name] for name in ("value", "lower", "upper"))
    return Statistic(number(value), interval(*ends))


def _ratio(row: Row) -> RatioLine:
    batches = [text(row[name]) for name in ("batch", "against_batch")]
    known = load_metrics()
    return RatioLine(
        against=text(row["against"]),
        run_id=text(row["against_run_id"]),
        rule=text(row["mode"]),
        metric=known[row["metric"]].display if row["metric"] in known else text(row["metric"]),
        batches="" if not all(batches) else f"batch {batches[0]} and {batches[1]}",
        ratio=f"{number(row['ratio'])}×",
        interval=interval(row["lower"], row["upper"]),
        valid=bool(row["valid"]),
    )
