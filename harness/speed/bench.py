"""A speed run: a model on every point of a workload, one record a point, whatever happens to the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from backends.packing.scheduler import OutOfMemory
from harness.records.provenance import setting_of
from harness.records.record import Record
from harness.speed.measure import Bench, measure
from harness.speed.opening import BenchRequest, find_checkpoint, opened
from harness.speed.probes.os_probe import available_bytes, resident_bytes
from harness.speed.probes.telemetry import DeviceLost
from harness.speed.rates import Rates, measure_rates
from harness.speed.recorder import SpeedRecorder
from harness.speed.roofline import works
from harness.speed.workloads.workload import Point, Shape, Workload, points
from zoo.arch.roofline import memory_bytes
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import EnvironmentIssue, InputError, MinizooError, one_line
from zoo.files import check_writable


class Watcher(Protocol):
    """Is told how a run goes on."""

    def left_out(self, shapes: tuple[Shape, ...], longest: int) -> None:
        """These shapes are not run: the model attends to `longest` tokens only."""
        ...

    def begins(self, point: Point) -> None:
        """This point is next."""
        ...

    def recorded(self, record: Record) -> None:
        """A point has its record."""
        ...


def run(request: BenchRequest, results: Path, watcher: Watcher | None = None) -> list[Record]:
    """Everything that `minizoo bench` does: load the model, measure every point that it can take, record each.

    A point that does not fit into memory is recorded as `failed`, and ends a sweep of its shape. When the device or the
    backend breaks, the point is recorded as `infra_failed` and EnvironmentIssue is raised; finished points keep their
    records. InputError for a model, a backend or a workload that cannot be run.
    """
    check_writable(results)
    checkpoint = find_checkpoint(request)
    workload = fitting(request.workload, checkpoint, watcher)
    with opened(request, checkpoint) as loaded:
        setting = setting_of(loaded.bench.backend, request.seed)
        recorder = SpeedRecorder(results, request.workload, loaded.subject, setting)
        return list(measure_points(loaded.bench, workload, recorder, watcher))


def fitting(workload: Workload, checkpoint: Checkpoint, watcher: Watcher | None = None) -> Workload:
    """The workload with the shapes alone whose requests fit into the context; InputError where none does."""
    longest = checkpoint.max_length
    fits = tuple(s for s in workload.shapes if s.input + s.output <= longest)
    if not fits:
        least = min(s.input + s.output for s in workload.shapes)
        raise InputError(
            f"Workload {workload.name} has {least:,} tokens a request or more, and {checkpoint.name} attends to {longest:,}.",
            "Take a shorter workload: `--workload batch1`, or a YAML file of your own.",
        )
    left_out = tuple(s for s in workload.shapes if s not in fits)
    if watcher and left_out:
        watcher.left_out(left_out, longest)
    return workload.model_copy(update={"shapes": fits})


def measure_points(
    bench: Bench, workload: Workload, recorder: SpeedRecorder, watcher: Watcher | None = None
) -> Iterator[Record]:
    """Measure and record every point of the workload in turn.

    A sweep of a shape ends with the first batch that does not fit, or when larger ones have long brought nothing
    (`Rule.patience`).
    """
    sweeps: dict[Shape, list[Record]] = {}
    for point in points(workload):
        swept = sweeps.setdefault(point.shape, []) if point.swept else []
        if is_over(swept, workload.rule.patience):
            continue
        if watcher:
            watcher.begins(point)
        record = measure_point(bench, point, workload, recorder)
        swept.append(record)
        if watcher:
            watcher.recorded(record)
        yield record


def is_over(swept: Sequence[Record], patience: int) -> bool:
    """Whether a sweep that has come so far is to go no further: its last step failed, or none of the last `patience`
    steps brought a higher median output rate than the best before them."""
    if swept and swept[-1].status != "ok":
        return True
    rates = [_output_rate(record) for record in swept]
    return 0 < patience < len(rates) and max(rates[-patience:]) <= max(rates[:-patience])


def measure_point(bench: Bench, point: Point, workload: Workload, recorder: SpeedRecorder) -> Record:
    """Measure one point and record it, out of memory as `failed`; EnvironmentIssue, and `infra_failed`, where it broke."""
    try:
        reason = too_large(bench, point)
        if reason is None:
            return recorder.measured(measure(bench, point, workload, own_rates(bench, point)))
    except OutOfMemory as error:
        reason = f"out of memory: {one_line(error)}"
    except MinizooError:
        raise
    except DeviceLost as error:
        recorder.failed(bench, point, "infra_failed", f"device lost: {one_line(error)}")
        raise EnvironmentIssue(
            f"{bench.backend.device} stopped answering at {point.name} ({one_line(error)}).",
            "Points recorded before are kept. `minizoo doctor` and `dmesg` say more.",
        ) from error
    except Exception as error:  # whatever an engine breaks with
        told = f"{type(error).__name__}: {one_line(error)}"
        recorder.failed(bench, point, "infra_failed", told)
        raise EnvironmentIssue(
            f"The {bench.backend.name} backend broke on {bench.backend.device} at {point.name} ({told}).",
            "Points recorded before are kept. `minizoo --debug` shows the traceback.",
        ) from error
    return recorder.failed(bench, point, "failed", reason)


def own_rates(bench: Bench, point: Point) -> Rates | None:
    """The machine's own copy bandwidth and matmul rate for this point; None where they have no room beside the model, or
    the engine is not torch's to measure."""
    work = works(bench.dims, point, bench.dtype)
    if "decode" not in work or "torch" not in bench.backend.versions:
        return None
    try:
        return measure_rates(bench.backend.device, bench.backend.dtype, work["decode"].bytes)
    except RuntimeError:  # out of memory is one too
        return None


def too_large(bench: Bench, point: Point) -> str | None:
    """Why the point cannot fit, by arithmetic: a CPU would swap or kill before it refused. None where it may."""
    return too_large_together([(bench, point)], "weights and caches")


def too_large_together(points: Sequence[tuple[Bench, Point]], what: str) -> str | None:
    """Why models on one device cannot be at these points at a time, `what` naming it all; None where they may or none knows."""
    needs = 0
    for bench, point in points:
        if bench.dims is None or bench.dtype is None:
            return None
        length = point.shape.input + point.shape.output
        needs += memory_bytes(bench.dims, bench.room(point), length, bench.dtype, bench.dtype)
    first = points[0][0]
    has = memory_of(first)
    if has is None or needs <= has:
        return None
    return f"out of memory: {what} take {needs / 1e9:.2f} GB, {first.backend.device} has {has / 1e9:.2f} GB"


def memory_of(bench: Bench) -> int | None:
    """Bytes that weights and caches may take together; None where nobody tells."""
    if bench.backend.device.startswith("cuda"):
        total = bench.probe.facts().get("memory_bytes")
        return int(total) if total else None
    free, held = available_bytes(), resident_bytes()
    return None if free is None else free + (held or 0)


def _output_rate(record: Record) -> float:
    stats = record.speed.statistics if record.speed else ()
    middle = [s.value for s in stats if s.metric == "output_rate" and s.statistic in ("p50", "mean")]
    return max((value for value in middle if value is not None), default=0.0)
