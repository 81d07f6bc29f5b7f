"""Measuring one point: the feed and the backend brought together, a probe watching, and what came out as facts and rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from backends.contract import Step, StreamingBackend
from harness.metrics.speed_metrics import samples_of, statistics
from harness.records.speed_record import Memory, SpeedFacts, Statistic
from harness.speed.clock import Clock
from harness.speed.loops import ClosedLoop, OpenLoop
from harness.speed.probes.telemetry import DeviceLost, EnergyMeter, Probe, Sample, Watch, integrated_energy, summary
from harness.speed.rates import Rates
from harness.speed.roofline import achieved, gpu_of, works
from harness.speed.trials import Prompts, rows
from harness.speed.validity import SW_POWER_CAP, Evidence, clock_events, judge
from harness.speed.workloads.workload import Point, Workload
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.parameters import BITS, Dtype

OPEN_ROOM = 32
"""Requests of an open loop that run at a time; the others wait, and their wait counts."""


@dataclass(frozen=True)
class Bench:
    """A loaded model, ready to be measured, and the machine it stands on."""

    backend: StreamingBackend
    probe: Probe
    dims: Dense | Hybrid | None
    """None for a folder whose architecture has no closed form: then no limit is shown."""
    vocabulary: int
    weights: Literal["real", "random"] = "real"
    load_s: float | None = None
    seed: int = 0
    clock: Clock = field(default_factory=Clock)

    @property
    def dtype(self) -> Dtype | None:
        """The weights' dtype where its bytes are known."""
        return self.backend.dtype if self.backend.dtype in BITS else None  # pyright: ignore[reportReturnType]

    def room(self, point: Point) -> int:
        """Requests that run at a time."""
        return point.batch or OPEN_ROOM


@dataclass(frozen=True)
class Outcome:
    """What one point gave: the facts for the record, the raw rows, the telemetry."""

    facts: SpeedFacts
    rows: list[dict[str, Any]]
    """One a request, warm-up included: columns of harness.speed.trials.TRIAL_COLUMNS."""
    samples: list[Sample]
    values: Mapping[str, list[float]]
    """Each metric's samples, in the metric's unit, without the warm-up."""


def measure(bench: Bench, point: Point, workload: Workload, rates: Rates | None = None) -> Outcome:
    """Warm up, run the trials, judge: the one call that measures a loaded model at one point of a workload.

    `rates`: the machine's own, for the percentage of the measured limit. Raises OutOfMemory, DeviceLost, and whatever the
    backend breaks with.
    """
    runner = Runner(bench, point, workload)
    try:
        while runner.trial():
            pass
    finally:
        runner.stop()
    return runner.outcome(rates)


class Runner:
    """One point in progress. Trials can be taken one at a time, so that two runners alternate: see `ClosedLoop.partner`.

    `energy=False` where something else uses the device between this runner's trials.
    """

    def __init__(self, bench: Bench, point: Point, workload: Workload, energy: bool = True) -> None:
        self.bench, self.point, self.workload = bench, point, workload
        self.machine = dict(bench.probe.facts())
        taken = energy and bench.weights == "real" and not self.machine.get("mig")
        self.meter = EnergyMeter(bench.probe, bench.clock, taken)
        tokenizer = bench.backend.tokenizer
        prompts = Prompts(bench.vocabulary, bench.seed, (tokenizer.bos_id, tokenizer.eos_id))
        kind = ClosedLoop if point.rate is None else OpenLoop
        self.loop = kind(point, workload.rule, prompts, bench.clock, self.meter)
        self.watch = Watch(bench.probe, bench.clock)
        self._after: Mapping[str, Any] = {}
        self._steps: Iterator[Step] | None = None

    def trial(self) -> bool:
        """Run on to the end of a trial; False when the point is done. Raises what the backend raises."""
        bench, loop = self.bench, self.loop
        if self._steps is None:
            bench.backend.peak_memory(reset=True)
            self.watch.start()
            length = self.point.shape.input + self.point.shape.output
            self._steps = bench.backend.stream(loop, bench.room(self.point), length, bench.clock.now)
        before = len(loop.trials)
        for step in self._steps:
            loop.record(step)
            if loop.complete:
                loop.finish()
                return True
            if len(loop.trials) > before:  # the one before ended short of its tokens; a partner must not wait for ever
                return True
        return False

    def stop(self) -> None:
        """End the watching; always call it."""
        if self._steps is not None:
            self.watch.stop()
            self._after = self._facts_now()

    def outcome(self, rates: Rates | None = None) -> Outcome:
        """What was measured, judged."""
        every = rows(self.loop.trials, self.meter.windows)
        counted = [row for row in every if row["phase"] == "trial"]
        values = samples_of(counted, self.workload.limits.model_dump(exclude_none=True))
        stats = statistics(values)
        return Outcome(self._facts(counted, stats, rates), every, self.watch.samples, values)

    def _facts(self, counted: list[dict[str, Any]], stats: tuple[Statistic, ...], rates: Rates | None) -> SpeedFacts:
        bench, point, loop = self.bench, self.point, self.loop
        seen, gpu = self._during(), gpu_of(self.machine)
        return SpeedFacts(
            workload=self.workload.name,
            point=point.name,
            input_tokens=point.shape.input,
            output_tokens=point.shape.output,
            batch=point.batch,
            rate=point.rate,
            room=bench.room(point),
            weights=bench.weights,
            power_capped=bool(clock_events(seen) & SW_POWER_CAP),
            limits=self.workload.limits.model_dump(exclude_none=True),
            validity=judge(self._evidence(counted, stats, seen)),
            load_s=bench.load_s,
            first_call_s=loop.warmups[0].seconds if loop.warmups else None,
            warmup_s=tuple(trial.seconds for trial in loop.warmups),
            trials=len(loop.measured),
            seconds=sum(trial.seconds for trial in loop.measured),
            memory=self._memory(),
            statistics=stats,
            achieved=achieved(works(bench.dims, point, bench.dtype), bench.dtype, stats, gpu, rates),
            limit_note=_no_limit(bench, point, gpu is not None),
            facts=self.machine,
            telemetry=summary(seen),
            energy_integrated_j=integrated_energy(seen) if self.meter.wanted else None,
        )

    def _evidence(self, counted: list[dict[str, Any]], stats: tuple[Statistic, ...], seen: list[Sample]) -> Evidence:
        return Evidence(
            device=self.bench.backend.device,
            rows=counted,
            settled=self.loop.has_settled,
            warmups=len(self.loop.warmups),
            samples=seen,
            facts=self.machine,
            facts_after=self._after,
            lost=self.watch.lost,
            rate=self.point.rate,
            weights=self.bench.weights,
            refused=[(s.metric, s.refused) for s in stats if s.refused],
        )

    def _facts_now(self) -> Mapping[str, Any]:
        try:
            return self.bench.probe.facts()
        except DeviceLost as error:
            self.watch.lost = self.watch.lost or str(error)
            return {}

    def _memory(self) -> Memory:
        used = max((int(s.get("used_bytes") or 0) for s in self.watch.samples), default=0) or None
        on_gpu = self.bench.backend.device.startswith("cuda")
        return Memory(
            allocator=self.bench.backend.peak_memory(),
            device=used if on_gpu else None,
            resident=None if on_gpu else used,
        )

    def _during(self) -> list[Sample]:
        """The samples from the last one before the first measured trial to the first one after the last."""
        samples = self.watch.samples
        trials = [trial for trial in self.loop.measured if trial.steps]
        if not trials:
            return samples
        start, end = min(trials[0].submitted.values()), trials[-1].steps[-1].time
        before = [i for i, s in enumerate(samples) if (s["time_s"] or 0) <= start]
        after = [i for i, s in enumerate(samples) if (s["time_s"] or 0) >= end]
        return samples[before[-1] if before else 0 : (after[0] + 1) if after else None]


def _no_limit(bench: Bench, point: Point, known: bool) -> str | None:
    if bench.dims is None:
        return "no limit: the architecture of this checkpoint has no closed form here"
    if bench.dtype is None:
        return f"no limit: the bytes of {bench.backend.dtype} are not known here"
    if point.batch is None:
        return "no limit: the batch of an open loop changes from step to step"
    if bench.backend.device.startswith("cuda") and not known:
        return "no data-sheet limit: this GPU is not in zoo/arch/gpus.yaml"
    return None
