"""How measured speed is shown: which point goes on, a table for every point, one line a point beneath."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from minizoo.display.progress import StepBar
from minizoo.display.scale import figure, scaled_unit
from minizoo.output import Column, Output, note

if TYPE_CHECKING:
    from harness.records.record import Record
    from harness.records.speed_record import SpeedFacts, Statistic
    from harness.speed.measure import PointOutcome
    from harness.speed.recorder import MeasuredPoint
    from harness.speed.trials.early_end import EarlyEnd
    from harness.speed.trials.policy import TrialsSoFar
    from harness.speed.workloads.workload import Point, Shape

GB = 1e9
PERCENTILES = {"p50": 5, "p90": 2, "p99": 1}
"""Percentile → how important its column is where a terminal is narrow."""
STEP_OF = {"itl": "decode", "ttft": "prefill"}
"""The metric whose median is held against the roofline of a step."""


class BenchNotes:
    """Says on stderr which point is measured, how far its trials are and what came of it.

    Bars are drawn between trials alone: a thread that draws would take time from what is measured.
    """

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.kept: list[str] = []
        """Points that have their record."""
        self._steps = StepBar(quiet, live=False)
        self._step, self._warming = "", False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._steps.__exit__(None, None, None)

    def fetched(self, step: str, done: int, of: int) -> None:
        """Show how much of the weights is there."""
        self._steps(step, done, of, "B")

    def loading(self, name: str) -> None:
        """Name the model."""
        self._begin(f"loading {name}")
        self._steps.show(self._step, 0, 0)

    def left_out(self, shapes: tuple[Shape, ...], longest: int) -> None:
        """Name the shapes that are too long for the model."""
        if not self.quiet:
            listed = ", ".join(f"{shape.input}x{shape.output}" for shape in shapes)
            note(f"Left out, longer than the model's {longest:,} tokens: {listed}.")

    def begins(self, point: Point) -> None:
        """Name the point."""
        self._begin(point.name)
        if not self.quiet:
            note(f"{point.name} …")

    def trials(self, point: Point, so_far: TrialsSoFar) -> None:
        """Say how many warm-up trials, or measured ones, there are of how many."""
        if so_far.phase == "warmup":
            self._warming = True
            self._steps.show(point.name, so_far.warmups, so_far.most_warmups, "warm-up trials at most")
            return
        if self._warming:
            self._warming = False
            settled = f"{'settled' if so_far.settled else 'not settled'} after {so_far.warmups} warm-up trials"
            self._steps.end(point.name, settled)
            if not so_far.settled and so_far.phase and not self.quiet:
                note(f"{point.name}: {settled}, so the result is invalid")
        if so_far.phase == "trial":
            self._steps.show(point.name, so_far.trials, so_far.expected, "trials")
            return
        self._steps.end(point.name, f"{so_far.trials} trials measured")
        self._begin("deriving figures")
        self._steps.show(self._step, 0, 0)

    def recorded(self, record: Record) -> None:
        """Say how it went."""
        self._begin("")
        if record.speed:
            self.kept.append(record.speed.point)
        if not self.quiet and record.status != "ok":
            note(f"{record.task} {record.status}: {record.reason}")

    def ended(self, ended: EarlyEnd, not_begun: Sequence[str]) -> None:
        """Say, with --json too, why the run ended early, what it left out, and what to do."""
        note(f"Ended early: {ended.text}.")
        if ended.code == "machine-busy":
            from harness.speed.probes.busy import busiest_processes

            if found := busiest_processes():
                note(f"Busiest now, with processors each: {', '.join(found)}.")
            note("Free the machine and run again. --even-if-busy measures all the same; the result is then invalid.")
        if not_begun:
            note(f"Not begun: {', '.join(not_begun)}.")

    def interrupted(self, results: Path) -> None:
        """Say what is kept."""
        kept = f"{', '.join(self.kept)} ({results}/runs)" if self.kept else "no point yet"
        note(f"Recorded before the interrupt: {kept}.")

    def _begin(self, step: str) -> None:
        """This step goes on from now; the one before is over."""
        if self._step:
            self._steps.end(self._step)
        self._step, self._warming = step, False


def show_points(output: Output, run_id: str, measured: Sequence[MeasuredPoint], results: Path) -> None:
    """A table of metrics for every point that was measured; one line a point beneath where there are several."""
    if not measured:
        output.text("No point was measured.")
        return
    for point in measured:
        if point.outcome is not None:
            _show_point(output, point.record, point.outcome)
    if len(measured) > 1:
        _show_overview(output, [point.record for point in measured])
    output.text(f"Records: {results}/runs (run {run_id}).  `minizoo db path` finds the view `speed`.")


def _show_point(output: Output, record: Record, outcome: PointOutcome) -> None:
    setting, speed = record.setting, outcome.facts
    where = setting.gpu or speed.machine.get("product") or setting.device
    columns = [Column("metric"), Column("unit", importance=5)]
    columns += [Column(f"{p} (95 % interval)", True, importance) for p, importance in PERCENTILES.items()]
    columns += [Column("n", True, 3), Column("% of measured roofline", True, 4)]
    columns += [Column("% of data-sheet roofline", True, 4), Column("bound by"), Column("validity", importance=4)]
    model = record.subject.name or record.subject.id
    title = f"{model}, {speed.workload} {speed.point} ({setting.backend}, {setting.precision}, {where})"
    rows = _metric_rows(speed, outcome.statistics)
    output.table(columns, rows, title) if rows else output.text(title)
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
    columns = [Column("point"), Column("output tokens/s", True, 5), Column("TTFT ms", True, 3)]
    columns += [Column("ITL ms", True, 4), Column("% of measured roofline", True, 2), Column("peak GB", True)]
    columns += [Column("validity", importance=5)]
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
