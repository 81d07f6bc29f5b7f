"""Two models measured in turn, trial by trial, so that drift of the machine falls on both; each side is a run of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from harness.records.outcome import Failure
from harness.records.provenance import setting_of
from harness.records.speed_record import Memory
from harness.speed.bench import BenchWatcher, fitting, limits_of
from harness.speed.compare.pairing import Pairing, pairings
from harness.speed.compare.ratios import ComparedMetric, comparisons_of, published_beside, refusal
from harness.speed.loading import Loaded, find_checkpoint, load
from harness.speed.measure import PointOutcome, outcome_of, own_rates
from harness.speed.memory import check_fits
from harness.speed.recorder import MeasuredPoint, SpeedRecorder, recorded
from harness.speed.request import BenchRequest
from harness.speed.system import SystemUnderTest
from harness.speed.trials.early_end import EarlyEnd, Limits
from harness.speed.trials.point_run import PointRun, run_trials
from harness.speed.trials.policy import TrialsSoFar
from harness.speed.workloads.workload import Point, Workload
from zoo.files import check_writable


@dataclass(frozen=True)
class PairedPoint:
    """One pairing: the points of both models, the comparisons with the first; `refused` says why there are none."""

    pairing: Pairing
    ours: MeasuredPoint
    theirs: MeasuredPoint
    comparisons: tuple[ComparedMetric, ...] = ()
    refused: str | None = None

    @property
    def ended(self) -> EarlyEnd | None:
        """Why its trials ended before there were enough."""
        return self.ours.outcome.ended if self.ours.outcome else None

    def document(self) -> dict[str, Any]:
        """Both records as JSON, with what is derived on read merged in."""
        record = self.ours.document()
        if self.comparisons:
            record["speed"]["comparisons"] = [one.document() for one in self.comparisons]
        return {
            "modes": list(self.pairing.modes),
            "record": record,
            "against": self.theirs.document(),
            "refused": self.refused,
        }


@dataclass(frozen=True)
class ComparisonOutcome:
    """What a comparison left: its pairs in order; where it ended early, why, and the pairs that it did not begin."""

    pairs: tuple[PairedPoint, ...]
    not_begun: tuple[Pairing, ...] = ()
    ended: EarlyEnd | None = None


class PairWatcher(BenchWatcher, Protocol):
    """Is told how a comparison goes on."""

    def pairs(self, pairing: Pairing) -> None:
        """These two points are next."""
        ...


def compare(request: BenchRequest, results: Path, watcher: PairWatcher | None = None) -> ComparisonOutcome:
    """Load both models of the request, measure every pairing in turn, record both sides.

    Both models are in memory together. A pairing that does not fit is recorded as `failed` on both sides, and the others go
    on. When the device or a backend breaks, it is recorded as `infra_failed` on both and DeviceLost or BackendBroke is
    raised. Raises what `pairings` and `harness.speed.bench.run` raise.
    """
    began = time.monotonic()
    check_writable(results)
    fetched = watcher.fetched if watcher else None
    first, second = find_checkpoint(request.load, fetched), find_checkpoint(request.second, fetched)
    workload = fitting(fitting(request.workload, first, watcher), second, watcher)
    memory = None if request.memory is None else int(request.memory)
    if watcher:
        watcher.loading(f"{first.name} and {second.name}")
    with load(request.load, first) as ours, load(request.second, second) as theirs:
        left = list(pairings(workload, ours.system, theirs.system, memory))
        limits = limits_of(request, ours.system, time.monotonic() - began)
        pairs: list[PairedPoint] = []
        ended: EarlyEnd | None = None
        while left and not (ended := ended or limits.time_up(ours.system.clock.now())):
            pairing = left.pop(0)
            if watcher:
                watcher.pairs(pairing)
            sides = (
                _Side(ours, pairing.point, _recorder(ours, workload, results)),
                _Side(theirs, pairing.against, _recorder(theirs, workload, results)),
            )
            pairs.append(_compared(*sides, pairing, workload, watcher, limits))
            ended = pairs[-1].ended
        return ComparisonOutcome(tuple(pairs), tuple(left), ended)


@dataclass(frozen=True)
class _Side:
    """One of the two models at its point, with the recorder of its run."""

    loaded: Loaded
    point: Point
    recorder: SpeedRecorder

    @property
    def system(self) -> SystemUnderTest:
        return self.loaded.system

    def failed(self, failure: Failure) -> MeasuredPoint:
        return self.recorder.failed(self.system, self.point, failure)


def _compared(
    ours: _Side, theirs: _Side, pairing: Pairing, workload: Workload, watcher: PairWatcher | None, limits: Limits
) -> PairedPoint:
    def failed(failure: Failure) -> PairedPoint:
        return PairedPoint(pairing, ours.failed(failure), theirs.failed(failure), refused=failure.message)

    def told(so_far: TrialsSoFar) -> None:
        if watcher:
            watcher.trials(pairing.point, so_far)

    def measured() -> PairedPoint:
        return _recorded(ours, theirs, pairing, _outcomes((ours, theirs), workload, limits, told))

    names = f"{ours.loaded.checkpoint.name} with {theirs.loaded.checkpoint.name}"
    return recorded(measured, failed, f"Comparing {names} at {ours.point.name}")


def _outcomes(
    sides: tuple[_Side, _Side], workload: Workload, limits: Limits, told: Callable[[TrialsSoFar], None]
) -> tuple[PointOutcome, PointOutcome]:
    """Both measured, one trial of each in turn. Peaks were those of both models together and are left out."""
    check_fits([(side.system, side.point) for side in sides], "both models and their caches")
    rates = [own_rates(side.system, side.point) for side in sides]
    runs = [PointRun(side.system, side.point, workload.rule, energy=False) for side in sides]
    run_trials(runs, workload.rule, limits, told)
    ours, theirs = (outcome_of(run, workload, own) for run, own in zip(runs, rates, strict=True))
    return _without_memory(ours), _without_memory(theirs)


def _recorded(ours: _Side, theirs: _Side, pairing: Pairing, outcomes: tuple[PointOutcome, PointOutcome]) -> PairedPoint:
    refused = refusal(outcomes[0].facts, outcomes[1].facts)
    found: tuple[ComparedMetric, ...] = ()
    if refused is None:
        published = published_beside(ours.loaded.checkpoint.model, theirs.loaded.checkpoint.model)
        against = (theirs.loaded.checkpoint.name, theirs.recorder.run_id)
        try:
            found = comparisons_of(*outcomes, pairing, against, published, ours.system.seed)
        except ValueError as error:
            refused = str(error)
    other = theirs.recorder.measured(outcomes[1])
    first = ours.recorder.measured(outcomes[0], tuple(one.recorded for one in found))
    return PairedPoint(pairing, first, other, found, refused)


def _recorder(loaded: Loaded, workload: Workload, results: Path) -> SpeedRecorder:
    setting = setting_of(loaded.system.backend, loaded.system.seed)
    return SpeedRecorder(results, workload, loaded.subject, setting)


def _without_memory(outcome: PointOutcome) -> PointOutcome:
    return replace(outcome, facts=outcome.facts.model_copy(update={"memory": Memory()}))
