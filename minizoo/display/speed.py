"""How speed is shown: what a model could reach on every known GPU, and what it reached here."""

from __future__ import annotations

from math import floor, log10
from pathlib import Path
from typing import TYPE_CHECKING

from minizoo.output import Column, Output, note

if TYPE_CHECKING:
    from harness.records.record import Record
    from harness.records.speed_record import SpeedFacts, Statistic
    from harness.speed.ceilings import Need
    from harness.speed.workloads.workload import Point, Shape

GB = 1e9
PERCENTILES = ("p50", "p90", "p99")
STEP_OF = {"itl": "decode", "ttft": "prefill"}
"""The metric whose median is held against the limit of a step."""


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


def show_ceilings(output: Output, name: str, workload: str, dtype: str, needs: list[Need]) -> None:
    """What each point needs of any machine, and the ceiling of every GPU of the table."""
    for need in needs:
        output.text(f"{name}, {workload} {need.point}, {dtype}")
        output.text(
            f"  a decode step: {_scaled(need.decode.bytes, 'B')}, {_scaled(need.decode.flops, 'FLOP')};"
            f"  the prefill: {_scaled(need.prefill.bytes, 'B')}, {_scaled(need.prefill.flops, 'FLOP')};"
            f"  memory: {_scaled(need.memory, 'B')} and activations"
        )
        _show_gpus(output, need)
    if not needs:
        output.text("No ceilings: the batch of an open loop changes from step to step. Give --batch instead of --rate.")
        return
    output.text("Ceilings: the bytes of the weights (without the input embedding) and of the KV cache, and the FLOPs,")
    output.text("over the data sheet's bandwidth and dense peak. † a figure of the row is from a secondary source.")


def show_records(output: Output, records: list[Record], results: Path) -> None:
    """A table of metrics for every point that was measured; one line a point beneath where there are several."""
    for record in records:
        if record.speed is not None and record.status == "ok":
            _show_point(output, record, record.speed)
    if len(records) > 1:
        _show_overview(output, records)
    output.text(f"Records: {results}/runs (run {records[0].run_id}).  `minizoo db path` finds the view `speed`.")


def _show_point(output: Output, record: Record, speed: SpeedFacts) -> None:
    setting = record.setting
    where = setting.gpu or speed.facts.get("product") or setting.device
    columns = [Column("metric"), Column("unit"), *(Column(f"{p} (95 % interval)", True) for p in PERCENTILES)]
    columns += [Column("n", True), Column("% of measured limit", True), Column("% of data sheet", True)]
    columns += [Column("binds"), Column("validity")]
    title = f"{record.subject.id}, {speed.workload} {speed.point} ({setting.backend}, {setting.dtype}, {where})"
    output.table(columns, _metric_rows(speed), title)
    for line in _lines(speed):
        output.text(f"  {line}")


def _metric_rows(speed: SpeedFacts) -> list[list[str]]:
    from harness.metrics.speed_metrics import load_metrics

    metrics = load_metrics()
    by_metric: dict[str, dict[str, Statistic]] = {}
    for statistic in speed.statistics:
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
        return f"mean {_figure(scale * mean.value)}" if mean and mean.value is not None else "n too small"
    if found.lower is None or found.upper is None:
        return _figure(scale * found.value)
    return f"{_figure(scale * found.value)} ({_figure(scale * found.lower)} – {_figure(scale * found.upper)})"


def _percents(speed: SpeedFacts, metric: str) -> list[str]:
    """Percent of the measured limit, of the data sheet's, and what binds."""
    mine = {a.against: a for a in speed.achieved if a.step == STEP_OF.get(metric)}
    binds = next(iter(mine.values())).binds if mine else ""
    return [f"{mine[a].percent:.1f}" if a in mine else "" for a in ("measured", "data sheet")] + [binds]


def _lines(speed: SpeedFacts) -> list[str]:
    memory = {"allocator": speed.memory.allocator, "device": speed.memory.device, "process": speed.memory.resident}
    peaks = ", ".join(f"{value / GB:.2f} GB ({what})" for what, value in memory.items() if value)
    times = [f"load {speed.load_s:.2f} s"] if speed.load_s is not None else []
    times += [f"first call {speed.first_call_s:.2f} s"] if speed.first_call_s is not None else []
    times += [f"{len(speed.warmup_s)} warm-up trials, {speed.trials} measured in {speed.seconds:.1f} s"]
    lines = ["; ".join(times + ([f"peak memory {peaks}"] if peaks else []))]
    lines += [
        f"limit, {a.against}: {_scaled(a.bytes_per_s, 'B/s')}"
        + (f", {_scaled(a.flops_per_s, 'FLOP/s')}" if a.flops_per_s else "")
        + f" ({a.source}); a decode step moves {_scaled(a.bytes, 'B')} and does {_scaled(a.flops, 'FLOP')}"
        for a in speed.achieved
        if a.step == "decode"
    ]
    lines += [speed.limit_note] if speed.limit_note else []
    lines.append("validity: " + ("valid" if speed.validity.valid else "INVALID: " + "; ".join(speed.validity.reasons)))
    return lines + [f"note: {text}" for text in speed.validity.notes]


def _show_overview(output: Output, records: list[Record]) -> None:
    columns = [Column("point"), Column("output tokens/s", True), Column("TTFT ms", True), Column("ITL ms", True)]
    columns += [Column("% of measured limit", True), Column("peak GB", True), Column("validity")]
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
                *(_figure(scale * middle[m]) if m in middle else "–"
                  for m, scale in (("output_rate", 1.0), ("ttft", 1e3), ("itl", 1e3))),
                _percents(speed, "itl")[0] or "–",
                f"{peak / GB:.2f}" if peak else "–",
                _verdict(speed) if record.status == "ok" else f"{record.status}: {record.reason}",
            ]
        )  # fmt: skip
    output.table(columns, rows, "Medians")


def _show_gpus(output: Output, need: Need) -> None:
    columns = [Column("GPU"), Column("architecture"), Column("batch", True), Column("tok/s, empty cache", True)]
    columns += [Column("tok/s, this workload", True), Column("binds"), Column("prefill ms", True), Column("fits")]
    output.table(
        columns,
        [
            [
                c.display + ("" if c.checked else " †"), c.architecture or "–", str(c.batch), f"{c.empty_cache:,.0f}",
                f"{c.workload:,.0f}", c.binds, f"{1e3 * c.prefill_seconds:.1f}", "yes" if c.fits else "no",
            ]
            for c in need.ceilings
        ],
    )  # fmt: skip


def _verdict(speed: SpeedFacts) -> str:
    return "valid" if speed.validity.valid else "INVALID"


def _scaled(value: float, unit: str) -> str:
    """With the prefix that leaves one to three digits before the point: `2.04 TB/s`."""
    prefixes = ("", "k", "M", "G", "T", "P")
    power = next((i for i in range(len(prefixes)) if abs(value) < 1000 ** (i + 1)), len(prefixes) - 1)
    scaled = value / 1000**power
    return f"{scaled:.{max(0, 2 - floor(log10(scaled))) if scaled >= 1 else 2}f} {prefixes[power]}{unit}"


def _figure(value: float) -> str:
    """Four significant digits, never as a power of ten."""
    digits = 3 - floor(log10(abs(value))) if value else 0
    return f"{value:,.{min(max(digits, 0), 9)}f}"
