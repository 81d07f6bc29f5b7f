"""Two models measured in turn, trial by trial, so that both meet the same machine; each side of a pairing is a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from backends.packing.scheduler import OutOfMemory
from harness.records.provenance import setting_of
from harness.records.record import Record, Status
from harness.records.speed_record import Memory
from harness.speed.bench import Watcher, fitting, own_rates, too_large_together
from harness.speed.comparison import Pairing, compare, pairings, published_beside, refusal
from harness.speed.loops import ClosedLoop
from harness.speed.measure import Outcome, Runner
from harness.speed.opening import BenchRequest, Loaded, find_checkpoint, opened
from harness.speed.recorder import SpeedRecorder
from harness.speed.workloads.workload import Workload
from zoo.errors import EnvironmentIssue, MinizooError, one_line
from zoo.files import check_writable


@dataclass(frozen=True)
class Compared:
    """One pairing: both records, the comparison on the first; `refused` says why there is none."""

    pairing: Pairing
    record: Record
    against: Record
    refused: str | None = None


class PairWatcher(Watcher, Protocol):
    """Is told how the comparison goes on."""

    def pairs(self, pairing: Pairing) -> None:
        """These two points are next."""
        ...


def run_against(
    request: BenchRequest, against: BenchRequest, results: Path, memory: int | None = None,
    watcher: PairWatcher | None = None,
) -> list[Compared]:  # fmt: skip
    """Everything that `minizoo bench --against` does: load both, measure every pairing in turn, record both sides.

    Both models are in memory together. A pairing that does not fit is recorded as `failed` on both sides, and the others go
    on. When the device or a backend breaks, it is recorded as `infra_failed` and EnvironmentIssue is raised.
    """
    check_writable(results)
    checkpoints = [find_checkpoint(one) for one in (request, against)]
    workload = request.workload
    for checkpoint in checkpoints:
        workload = fitting(workload, checkpoint, watcher)
    with opened(request, checkpoints[0]) as ours, opened(against, checkpoints[1]) as theirs:
        return list(_measured(ours, theirs, workload, results, memory, watcher))


def alternate(first: Runner, second: Runner) -> None:
    """Run both to their ends, one trial of each in turn; measured trials begin when both are warm."""
    loops = first.loop, second.loop
    assert isinstance(loops[0], ClosedLoop)
    assert isinstance(loops[1], ClosedLoop)
    loops[0].partner, loops[1].partner = loops[1], loops[0]
    going = [first, second]
    while going:
        going = [runner for runner in going if runner.trial()]


def _measured(
    ours: Loaded, theirs: Loaded, workload: Workload, results: Path, memory: int | None, watcher: PairWatcher | None
) -> Iterator[Compared]:
    for pairing in pairings(workload, ours.bench, theirs.bench, memory):
        if watcher:
            watcher.pairs(pairing)
        yield _Pair(ours, theirs, workload, results, pairing).compared()


class _Pair:
    """One pairing in progress, with a recorder for either side."""

    def __init__(self, ours: Loaded, theirs: Loaded, workload: Workload, results: Path, pairing: Pairing) -> None:
        self.sides, self.workload, self.pairing = (ours, theirs), workload, pairing
        self.points = (pairing.point, pairing.against)
        self.recorders = [
            SpeedRecorder(results, workload, side.subject, setting_of(side.bench.backend, side.bench.seed))
            for side in self.sides
        ]

    def compared(self) -> Compared:
        try:
            pairs = [(side.bench, point) for side, point in zip(self.sides, self.points, strict=True)]
            reason = too_large_together(pairs, "both models and their caches")
            if reason is None:
                return self._recorded(*self._outcomes())
        except OutOfMemory as error:
            reason = f"out of memory: {one_line(error)}"
        except MinizooError:
            raise
        except Exception as error:  # whatever an engine breaks with
            told = f"{type(error).__name__}: {one_line(error)}"
            self._failed("infra_failed", told)
            raise EnvironmentIssue(
                f"Comparing {self.sides[0].checkpoint.name} with {self.sides[1].checkpoint.name} broke off at "
                f"{self.points[0].name} ({told}).",
                "Pairs recorded before are kept. `minizoo --debug` shows the traceback.",
            ) from error
        return self._failed("failed", reason)

    def _outcomes(self) -> tuple[Outcome, Outcome]:
        rates = [own_rates(side.bench, point) for side, point in zip(self.sides, self.points, strict=True)]
        runners = [
            Runner(side.bench, point, self.workload, energy=False)
            for side, point in zip(self.sides, self.points, strict=True)
        ]
        try:
            alternate(*runners)
        finally:
            for runner in runners:
                runner.stop()
        return _without_memory(runners[0].outcome(rates[0])), _without_memory(runners[1].outcome(rates[1]))

    def _recorded(self, ours: Outcome, theirs: Outcome) -> Compared:
        recorder, other = self.recorders
        refused = refusal(ours.facts, theirs.facts)
        found = ()
        if refused is None:
            models = [side.checkpoint.model for side in self.sides]
            try:
                found = compare(
                    ours, theirs, self.pairing, self.sides[1].checkpoint.name, other.run_id, published_beside(*models),
                    self.sides[0].bench.seed,
                )  # fmt: skip
            except ValueError as error:
                refused = str(error)
        against = other.measured(theirs)
        return Compared(self.pairing, recorder.measured(ours, found), against, refused)

    def _failed(self, status: Status, reason: str) -> Compared:
        ours, theirs = (
            recorder.failed(side.bench, point, status, reason)
            for recorder, side, point in zip(self.recorders, self.sides, self.points, strict=True)
        )
        return Compared(self.pairing, ours, theirs, reason)


def _without_memory(outcome: Outcome) -> Outcome:
    """Peaks were those of both models together and are left out."""
    return replace(outcome, facts=outcome.facts.model_copy(update={"memory": Memory()}))
