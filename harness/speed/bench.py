"""A speed run: a model on every point of a workload, one record a point, whatever happens to the others."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.records.provenance import setting_of
from harness.records.record import Record
from harness.speed.loading import find_checkpoint, load
from harness.speed.measure import PointOutcome, measure, own_rates
from harness.speed.memory import check_fits, check_room
from harness.speed.recorder import MeasuredPoint, SpeedRecorder, recorded
from harness.speed.request import BenchRequest
from harness.speed.system import SystemUnderTest
from harness.speed.trials.early_end import EarlyEnd, Limits
from harness.speed.trials.policy import TrialsSoFar
from harness.speed.workloads.workload import Point, Shape, Workload, points
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import WorkloadTooLong
from zoo.files import check_writable

_log = logging.getLogger(__name__)


class BenchWatcher(Protocol):
    """Is told how a speed run goes on."""

    def fetched(self, step: str, done: int, of: int) -> None:
        """So many bytes of a model's weights are there."""
        ...

    def loading(self, name: str) -> None:
        """This model is loaded next."""
        ...

    def left_out(self, shapes: tuple[Shape, ...], longest: int) -> None:
        """These shapes are not run: the model attends to `longest` tokens only."""
        ...

    def begins(self, point: Point) -> None:
        """This point is next."""
        ...

    def trials(self, point: Point, so_far: TrialsSoFar) -> None:
        """So far is this point; told before its first trial and after each."""
        ...

    def recorded(self, record: Record) -> None:
        """A point has its record."""
        ...


@dataclass(frozen=True)
class BenchOutcome:
    """What a speed run left: its points in order; where it ended early, why, and the points that it did not begin."""

    run_id: str
    measured: tuple[MeasuredPoint, ...]
    not_begun: tuple[Point, ...] = ()
    """Of a sweep the next batch."""
    ended: EarlyEnd | None = None


def run(request: BenchRequest, results: Path, watcher: BenchWatcher | None = None) -> BenchOutcome:
    """Load the model, measure every point of the workload that it can take, record each.

    A point that does not fit into memory is recorded as `failed`, and ends a sweep of its shape. When the device or the
    backend breaks, the point is recorded as `infra_failed` and DeviceLost or BackendBroke is raised; finished points keep
    their records. A point that the request's limits end early is recorded as it was measured, and is the last one.
    Raises what `find_checkpoint`, `check_room` and `load` raise, and WorkloadTooLong.
    """
    began = time.monotonic()
    check_writable(results)
    checkpoint = find_checkpoint(request.load, watcher.fetched if watcher else None)
    workload = fitting(request.workload, checkpoint, watcher)
    check_room(checkpoint, request.load, workload)
    if watcher:
        watcher.loading(checkpoint.name)
    with load(request.load, checkpoint) as loaded:
        setting = setting_of(loaded.system.backend, request.load.seed)
        recorder = SpeedRecorder(results, workload, loaded.subject, setting)
        limits = limits_of(request, loaded.system, time.monotonic() - began)
        return measure_points(loaded.system, workload, recorder, watcher, limits)


def limits_of(request: BenchRequest, system: SystemUnderTest, spent: float) -> Limits:
    """The request's limits, by the clock of the system; `spent` seconds of the run are gone."""
    minutes = request.max_minutes
    deadline = None if minutes is None else system.clock.now() + 60 * minutes - spent
    return Limits(deadline, not request.even_if_busy)


def fitting(workload: Workload, checkpoint: Checkpoint, watcher: BenchWatcher | None = None) -> Workload:
    """The workload with the shapes alone whose requests fit into the context; WorkloadTooLong where none does."""
    longest = checkpoint.max_length
    if checkpoint.context.note:
        _log.warning(checkpoint.context.note)
    fits = tuple(s for s in workload.shapes if s.input + s.output <= longest)
    if not fits:
        least = min(s.input + s.output for s in workload.shapes)
        raise WorkloadTooLong(
            f"Workload {workload.name} has {least:,} tokens a request or more, the context of {checkpoint.name} {longest:,}.",
            "Take a shorter workload: `--workload batch1`, or a YAML file of your own.",
        )
    left_out = tuple(s for s in workload.shapes if s not in fits)
    if watcher and left_out:
        watcher.left_out(left_out, longest)
    return workload.model_copy(update={"shapes": fits})


def measure_points(
    system: SystemUnderTest, workload: Workload, recorder: SpeedRecorder, watcher: BenchWatcher | None = None,
    limits: Limits | None = None,
) -> BenchOutcome:  # fmt: skip
    """Measure and record every point of the workload in turn, until `limits` end it.

    A sweep of a shape ends with the first batch that does not fit, or when larger ones have long brought nothing
    (`Rule.patience`).
    """
    limits = limits or Limits()
    sweeps: dict[Shape, list[Record]] = {}
    measured: list[MeasuredPoint] = []
    ended: EarlyEnd | None = None
    left = points(workload)
    for point in left:
        swept = sweeps.setdefault(point.shape, []) if point.swept else []
        if is_over(swept, workload.rule.patience):
            continue
        if ended := limits.time_up(system.clock.now()):
            left = itertools.chain([point], left)
            break
        if watcher:
            watcher.begins(point)
        measured.append(measure_point(system, point, workload, recorder, watcher, limits))
        swept.append(measured[-1].record)
        if watcher:
            watcher.recorded(measured[-1].record)
        if (outcome := measured[-1].outcome) and (ended := outcome.ended):
            break
    not_begun = _not_begun(left, sweeps, workload.rule.patience) if ended else ()
    return BenchOutcome(recorder.run_id, tuple(measured), not_begun, ended)


def _not_begun(left: Iterator[Point], sweeps: dict[Shape, list[Record]], patience: int) -> tuple[Point, ...]:
    """The points that are left; of a sweep that is not over the next batch alone, since nobody knows where it would end."""
    found: list[Point] = []
    for point in left:
        known = any(other.swept and other.shape == point.shape for other in found)
        if not (point.swept and (known or is_over(sweeps.get(point.shape, ()), patience))):
            found.append(point)
    return tuple(found)


def is_over(swept: Sequence[Record], patience: int) -> bool:
    """Whether a sweep that has come so far is to go no further: its last step failed, or none of the last `patience`
    steps brought a higher median output rate than the best before them."""
    if swept and swept[-1].status != "ok":
        return True
    rates = [_output_rate(record) for record in swept]
    return 0 < patience < len(rates) and max(rates[-patience:]) <= max(rates[:-patience])


def measure_point(
    system: SystemUnderTest, point: Point, workload: Workload, recorder: SpeedRecorder,
    watcher: BenchWatcher | None = None, limits: Limits | None = None,
) -> MeasuredPoint:  # fmt: skip
    """Measure one point and record it, out of memory as `failed`; raises, after recording, where device or backend broke."""

    def told(so_far: TrialsSoFar) -> None:
        if watcher:
            watcher.trials(point, so_far)

    def outcome() -> PointOutcome:
        check_fits([(system, point)])
        return measure(system, point, workload, own_rates(system, point), limits, told)

    return recorded(
        lambda: recorder.measured(outcome()),
        lambda failure: recorder.failed(system, point, failure),
        f"The {system.backend.name} backend on {system.backend.device}, at {point.name},",
    )


def _output_rate(record: Record) -> float:
    stats = record.speed.statistics if record.speed else ()
    middle = [s.value for s in stats if s.metric == "output_rate" and s.statistic in ("p50", "mean")]
    return max((value for value in middle if value is not None), default=0.0)
