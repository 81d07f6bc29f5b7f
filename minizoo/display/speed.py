"""How measured speed is shown: a table for every point, one line a point beneath."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from minizoo.display.scale import figure, scaled_unit
from minizoo.output import Column, Output, note

if TYPE_CHECKING:
    from harness.records.record import Record
    from harness.records.speed_record import SpeedFacts, Statistic
    from harness.speed.measure import PointOutcome
    from harness.speed.recorder import MeasuredPoint
    from harness.speed.workloads.workload import Point, Shape

GB = 1e9
PERCENTILES = ("p50", "p90", "p99")
STEP_OF = {"itl": "decode", "ttft": "prefill"}
"""The metric whose median is held against the roofline of a step."""


class BenchNotes:
    """Says on stderr which point is measured and what came of it."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet

    def left_out(self, shapes: tuple[Shape, ...], longest: int) -> None:
        """Name the shapes that are too long for the model."""
        if not self.quiet:
            listed = ", ".join(f"{shape.input}x{shape.output}" for shape in shapes)
            note(f"Left out, longer than the model's {longest:,} tokens: {listed}.")

    def begins(self, point: Point) -> None:
        """Name the point."""
        if not self.quiet:
            note(f"{point.name} …")

    def recorded(self, record: Record) -> None:
        """Say how it went."""
        if not self.quiet and record.status != "ok":
            note(f"{record.task} {record.status}: {record.reason}")


def show_points(output: Output, measured: Sequence[MeasuredPoint], results: Path) -> None:
    """A table of metrics for every point that was measured; one line a point beneath where there are several."""
    for point in measured:
        if point.outcome is not None:
            _show_point(output, point.record, point.outcome)
    if len(measured) > 1:
        _show_overview(output, [point.record for point in measured])
    run_id = measured[0].record.run_id
    output.text(f"Records: {results}/runs (run {run_id}).  `minizoo db path` finds the view `speed`.")


def _show_point(output: Output, record: Record, outcome: PointOutcome) -> None:
    setting, speed = record.setting, outcome.facts
    where = setting.gpu or speed.machine.get("product") or setting.device
    columns = [Column("metric"), Column("unit"), *(Column(f"{p} (95 % interval)", True) for p in PERCENTILES)]
    columns += [Column("n", True), Column("% of measured roofline", True), Column("% of data-sheet roofline", True)]
    columns += [Column("bound by"), Column("validity")]
    model = record.subject.name or record.subject.id
    title = f"{model}, {speed.workload} {speed.point} ({setting.backend}, {setting.precision}, {where})"
    output.table(columns, _metric_rows(speed, outcome.statistics), title)
    for line in _lines(speed):
        output.text(f"  {line}")


def _metric_rows(speed: SpeedFacts, statistics: Sequence[Statistic]) -> list[list[str]]:
    from harness.metrics.speed_metrics import load_metrics

    metrics = load_metrics()
    by_metric: dict[str, dict[str, Statistic]] = {}
    for statistic in statistics:
        by_metric.setdefault(statistic.metric, {})[statistic.statistic] = statistic
    rows: list[list[str]] = []
    for name, found in by_metric.items():
        metric = metrics[name]
        scale, unit = (1e3, "ms") if metric.unit == "s" else (1.0, metric.unit)
        n = max(statistic.n for statistic in found.values())
        percentiles = [_cell(found.get(p), scale, found.get("mean") if p == "p50" else None) for p in PERCENTILES]
        rows.append([metric.display, unit, *percentiles, f"{n:,}", *_percents(speed, name), _verdict(speed)])
    return rows


def _cell(found: Statistic | None, scale: float, mean: Statistic | None) -> str:
    if found is None:
        return ""
    if found.value is None:
        return f"mean {figure(scale * mean.value)}" if mean and mean.value is not None else "n too small"
    if found.lower is None or found.upper is None:
        return figure(scale * found.value)
    return f"{figure(scale * found.value)} ({figure(scale * found.lower)} – {figure(scale * found.upper)})"


def _percents(speed: SpeedFacts, metric: str) -> list[str]:
    """Percent of the measured roofline, of the data sheet's, and what the step is bound by."""
    mine = {a.against: a for a in speed.achieved if a.step == STEP_OF.get(metric)}
    bound_by = next(iter(mine.values())).bound_by if mine else ""
    return [f"{mine[a].percent:.1f}" if a in mine else "" for a in ("measured", "data sheet")] + [bound_by]


def _lines(speed: SpeedFacts) -> list[str]:
    memory = {"allocator": speed.memory.allocator, "device": speed.memory.device, "process": speed.memory.resident}
    peaks = ", ".join(f"{value / GB:.2f} GB ({what})" for what, value in memory.items() if value)
    times = [f"load {speed.load_s:.2f} s"] if speed.load_s is not None else []
    times += [f"first call {speed.first_call_s:.2f} s"] if speed.first_call_s is not None else []
    times += [f"{len(speed.warmup_s)} warm-up trials, {speed.trials} measured in {speed.seconds:.1f} s"]
    lines = ["; ".join(times + ([f"peak memory {peaks}"] if peaks else []))]
    lines += [
        f"roofline, {a.against}: {scaled_unit(a.bytes_per_s, 'B/s')}"
        + (f", {scaled_unit(a.flops_per_s, 'FLOP/s')}" if a.flops_per_s else "")
        + f" ({a.source}); a decode step moves {scaled_unit(a.bytes, 'B')} and does {scaled_unit(a.flops, 'FLOP')}"
        for a in speed.achieved
        if a.step == "decode"
    ]
    lines += [speed.roofline_note] if speed.roofline_note else []
    lines.append(
        "validity: "
        + (
            "valid"
            if speed.validity.valid
            else "INVALID: " + "; ".join(reason.text for reason in speed.validity.reasons)
        )
    )
    return lines + [f"note: {note.text}" for note in speed.validity.notes]


def _show_overview(output: Output, records: list[Record]) -> None:
    columns = [Column("point"), Column("output tokens/s", True), Column("TTFT ms", True), Column("ITL ms", True)]
    columns += [Column("% of measured roofline", True), Column("peak GB", True), Column("validity")]
    rows: list[list[str]] = []
    for record in records:
        speed = record.speed
        if speed is None:
            continue
        middle = {s.metric: s.value for s in speed.statistics if s.statistic in ("p50", "mean") and s.value is not None}
        peak = speed.memory.allocator or speed.memory.device or speed.memory.resident
        rows.append(
            [
                speed.point,
                *(figure(scale * middle[m]) if m in middle else "–"
                  for m, scale in (("output_rate", 1.0), ("ttft", 1e3), ("itl", 1e3))),
                _percents(speed, "itl")[0] or "–",
                f"{peak / GB:.2f}" if peak else "–",
                _verdict(speed) if record.status == "ok" else f"{record.status}: {record.reason}",
            ]
        )  # fmt: skip
    output.table(columns, rows, "Medians")


def _verdict(speed: SpeedFacts) -> str:
    return "valid" if speed.validity.valid else "INVALID"
