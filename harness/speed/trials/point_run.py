"""Running trials: one loop that drives the stream of each system by the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from backends.contract import Step, StreamRequest
from harness.nvml import DeviceGone
from harness.speed.probes.telemetry import EnergyMeter, Watch
from harness.speed.system import SystemUnderTest
from harness.speed.trials.arrivals import Arrivals, ClosedBatch, PoissonArrivals
from harness.speed.trials.early_end import EarlyEnd, Limits, busy_of_late, looks, only_invalid
from harness.speed.trials.policy import TrialsSoFar, measured_trials, next_phase, so_far
from harness.speed.trials.trial import Phase, Prompts, Trial
from harness.speed.workloads.workload import Point, Rule


def run_trials(
    runs: Sequence[PointRun],
    rule: Rule,
    limits: Limits | None = None,
    told: Callable[[TrialsSoFar], None] | None = None,
) -> None:
    """Run trials, one of each system in turn, until the policy says that all have enough. All run at points of one kind.

    Where `limits` end it before, each run says why (`ended`). `told` is called before the first trial and after each one of
    all. Raises what a backend raises; the watching has ended in any case.
    """
    limits, open_loop = limits or Limits(), runs[0].point.rate is not None
    tell = told or (lambda so_far: None)
    try:
        if limits.stop_if_busy:
            for run in runs:
                run.watch.look(looks(run.system.probe.interval))
        while (phase := next_phase([run.trials for run in runs], rule, open_loop)) is not None:
            tell(so_far([run.trials for run in runs], rule, open_loop))
            if ended := _ended(runs, rule, phase, limits):
                for run in runs:
                    run.ended = ended
                break
            for run in runs:
                run.trial(phase)
        tell(replace(so_far([run.trials for run in runs], rule, open_loop), phase=None))
        for run in runs:
            run.end_stream()
    finally:
        for run in runs:
            run.stop()


def _ended(runs: Sequence[PointRun], rule: Rule, phase: Phase, limits: Limits) -> EarlyEnd | None:
    """Why no trial is to begin now: looked at before the first, before the first that is measured, and after each of those."""
    if up := limits.time_up(runs[0].system.clock.now()):
        return up
    if not limits.stop_if_busy:
        return None
    models = [run.trials for run in runs]
    for run in runs:
        processors = run.machine.get("processors")
        if measured := measured_trials(run.trials):
            began = min(measured[0].submitted.values())
            since = [sample for sample in list(run.watch.samples) if float(sample.get("time_s") or 0) >= began]
            found = only_invalid(since, models, rule, processors)
        else:
            found = busy_of_late(list(run.watch.samples), processors) if not run.trials or phase == "trial" else None
        if found:
            return found
    return None


class PointRun:
    """One system at one point of a workload: its trials so far, and what its machine said meanwhile.

    `energy=False` where something else uses the device between these trials. None is taken from random weights, nor of a part
    of a GPU (MIG).
    """

    def __init__(self, system: SystemUnderTest, point: Point, rule: Rule, energy: bool = True) -> None:
        self.system, self.point, self.rule = system, point, rule
        self.trials: list[Trial] = []
        self.ended: EarlyEnd | None = None
        """Why the trials ended before there were enough."""
        self.machine = dict(system.probe.facts())
        self.machine_after: Mapping[str, Any] = {}
        self.meter = EnergyMeter(
            system.probe, system.clock, energy and system.weights == "real" and not self.machine.get("mig")
        )
        self.watch = Watch(system.probe, system.clock)
        tokenizer = system.backend.tokenizer
        self._prompts = Prompts(system.vocabulary, system.seed, (tokenizer.bos_id, tokenizer.eos_id))
        self._feed = _CurrentTrial()
        self._steps: Iterator[Step] | None = None
        self._watching = False

    def trial(self, phase: Phase) -> None:
        """Run one trial to its last token, or until the backend is idle before that. Raises what the backend raises."""
        if not self._watching:
            self._watching = True
            self.system.backend.peak_memory(reset=True)
            self.watch.start()
        arrivals = self._arrivals(phase)
        if phase == "trial":
            self.meter.begin()
        self._feed.arrivals = arrivals
        steps = self._run(arrivals)
        self._feed.arrivals = None
        number = len(self.trials)
        self.trials.append(
            Trial(
                number, phase, arrivals.requests, arrivals.submitted, arrivals.started, steps, arrivals.clustered
            )
        )  # fmt: skip
        if phase == "trial":
            self.meter.end(number)

    def end_stream(self) -> None:
        """Let the backend end its stream: there are no more requests."""
        for _ in self._steps or ():
            pass
        self._steps = None

    def stop(self) -> None:
        """End the watching; always call it."""
        if not self._watching:
            return
        self.watch.stop()
        try:
            self.machine_after = self.system.probe.facts()
        except DeviceGone as error:
            self.watch.lost = self.watch.lost or str(error)

    def _arrivals(self, phase: Phase) -> Arrivals:
        """The requests of the next trial. The warm-up of an open loop is a batch of as many as run at a time."""
        system, point, shape = self.system, self.point, self.point.shape
        poisson = phase == "trial" and point.rate is not None
        count = self.rule.requests if poisson else system.room(point)
        requests = self._prompts.requests(len(self.trials), count, shape.input, shape.output)
        if poisson and point.rate is not None:
            return PoissonArrivals(requests, point.rate, system.seed, system.clock)
        return ClosedBatch(requests, system.clock)

    def _run(self, arrivals: Arrivals) -> list[Step]:
        """The steps of the trial. Nothing costly lies between two of them."""
        left = sum(request.new_tokens for request in arrivals.requests)
        steps: list[Step] = []
        if self._steps is None:
            length = self.point.shape.input + self.point.shape.output
            system = self.system
            self._steps = system.backend.stream(self._feed, system.room(self.point), length, system.clock.now)
        for step in self._steps:
            if arrivals.started:  # a step of before belongs to the trial that has ended
                steps.append(step)
                left -= len(step.tokens)
            if left <= 0:
                return steps
        self._steps = None  # the backend was idle before all tokens were there, and ended its stream
        return steps


class _CurrentTrial:
    """The feed of a stream: whatever arrives in the trial that runs now, and nothing after it."""

    arrivals: Arrivals | None = None

    def take(self, room: int, idle: bool) -> Sequence[StreamRequest] | None:
        """See `backends.contract.Feed`."""
        if self.arrivals is None:
            return None if idle else ()
        return self.arrivals.take(room, idle)
