"""Measuring one point: its trials, judged, as facts for the record and raw rows beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.metrics.rooflines import Load, above_roofline, gpu_of, measured_steps, sheet_roofline
from harness.metrics.speed_metrics import samples_of, statistics
from harness.metrics.trial_facts import facts_of
from harness.records.speed_record import Memory, SpeedFacts, Statistic
from harness.speed.achieved import achieved, load_of
from harness.speed.probes.probe import Sample
from harness.speed.probes.telemetry import integrated_energy, summary
from harness.speed.rates import Rates, measure_rates
from harness.speed.system import SystemUnderTest
from harness.speed.trials.early_end import EarlyEnd, Limits
from harness.speed.trials.point_run import PointRun, run_trials
from harness.speed.trials.policy import TrialsSoFar, has_settled, measured_trials, warmup_trials
from harness.speed.trials.trial import rows
from harness.speed.validity import SW_POWER_CAP, Evidence, clock_events, judge
from harness.speed.workloads.workload import Point, Workload


@dataclass(frozen=True)
class PointOutcome:
    """What one point gave: the facts for the record, the raw rows, the telemetry."""

    facts: SpeedFacts
    statistics: tuple[Statistic, ...]
    """As those of the facts, with intervals and refusals."""
    rows: list[dict[str, Any]]
    """One a request, warm-up included: columns of harness.metrics.speed_metrics.TRIAL_COLUMNS."""
    samples: list[Sample]
    values: Mapping[str, list[float]]
    """Each metric's samples, in the metric's unit, without the warm-up."""
    ended: EarlyEnd | None = None
    """Why it ended before its trials were enough."""


def measure(
    system: SystemUnderTest, point: Point, workload: Workload, rates: Rates | None = None, limits: Limits | None = None,
    told: Callable[[TrialsSoFar], None] | None = None,
) -> PointOutcome:  # fmt: skip
    """Warm up, run the trials, judge: the one call that measures a loaded model at one point of a workload.

    `rates`: the machine's own, for the percentage of the measured roofline. `limits` and `told`: see `run_trials`. Raises
    OutOfMemory, DeviceGone, and whatever the backend breaks with.
    """
    run = PointRun(system, point, workload.rule)
    run_trials([run], workload.rule, limits, told)
    return outcome_of(run, workload, rates)


def outcome_of(run: PointRun, workload: Workload, rates: Rates | None = None) -> PointOutcome:
    """What a run of trials gave, judged."""
    every = rows(run.trials, run.meter.windows)
    counted = [row for row in every if row["phase"] == "trial"]
    values = samples_of(counted, workload.slo.model_dump(exclude_none=True))
    stats = statistics(values)
    facts = _facts(run, workload, counted, stats, rates)
    return PointOutcome(facts, stats, every, run.watch.samples, values, run.ended)


def own_rates(system: SystemUnderTest, point: Point) -> Rates | None:
    """The machine's own copy bandwidth and matmul rate for this point; None where they have no room beside the model, or
    the engine is not torch's to measure."""
    load = _load(system, point)
    if load is None or load.batch is None or "torch" not in system.backend.versions:
        return None
    try:
        return measure_rates(system.backend.device, system.products_dtype, load.decode().bytes)
    except RuntimeError:  # out of memory is one too
        return None


def _facts(
    run: PointRun, workload: Workload, counted: list[dict[str, Any]], stats: Sequence[Statistic], rates: Rates | None
) -> SpeedFacts:
    system, point = run.system, run.point
    seen, gpu = _during(run), gpu_of(run.machine)
    warm, trials = warmup_trials(run.trials), measured_trials(run.trials)
    return SpeedFacts(
        workload=workload.name,
        point=point.name,
        input_tokens=point.shape.input,
        output_tokens=point.shape.output,
        batch=point.batch,
        rate=point.rate,
        room=system.room(point),
        weights=system.weights,
        power_capped=bool(clock_events(seen) & SW_POWER_CAP),
        slo=workload.slo.model_dump(exclude_none=True),
        validity=judge(_evidence(run, counted, stats, seen)),
        load_s=system.load_s,
        first_call_s=warm[0].seconds if warm else None,
        warmup_s=tuple(trial.seconds for trial in warm),
        trials=len(trials),
        seconds=sum(trial.seconds for trial in trials),
        memory=_memory(run),
        statistics=tuple(figure.recorded() for figure in stats),
        achieved=achieved(_load(system, point), measured_steps(stats, facts_of(counted)), gpu, rates),
        roofline_note=_no_roofline(system, point, gpu is not None),
        machine=run.machine,
        telemetry=summary(seen),
        energy_integrated_j=integrated_energy(seen) if run.meter.wanted else None,
    )


def _evidence(run: PointRun, counted: list[dict[str, Any]], stats: Sequence[Statistic], seen: list[Sample]) -> Evidence:
    return Evidence(
        device=run.system.backend.device,
        rows=counted,
        settled=has_settled(run.trials, run.rule),
        warmups=len(warmup_trials(run.trials)),
        samples=seen,
        facts=run.machine,
        facts_after=run.machine_after,
        lost=run.watch.lost,
        rate=run.point.rate,
        weights=run.system.weights,
        how=run.system.backend.versions.get("scoring", ""),
        decode=run.system.backend.versions.get("decode", ""),
        refused=[(s.metric, s.refused) for s in stats if s.refused],
        above_roofline=_above_roofline(run, stats),
        ended=run.ended,
        trials=len(measured_trials(run.trials)),
        least_trials=1 if run.point.rate is not None else run.rule.trials,
    )


def _load(system: SystemUnderTest, point: Point) -> Load | None:
    return load_of(system.dims, point, system.dtype)


def _above_roofline(run: PointRun, stats: Sequence[Statistic]) -> list[str]:
    """The figures that the GPU's data sheet does not allow; without one nothing is known to be too fast."""
    load, gpu = _load(run.system, run.point), gpu_of(run.machine)
    return above_roofline(stats, load, sheet_roofline(gpu, load.dtype)) if load and gpu else []


def _memory(run: PointRun) -> Memory:
    used = max((int(s.get("used_bytes") or 0) for s in run.watch.samples), default=0) or None
    on_gpu = run.system.backend.device.startswith("cuda")
    return Memory(
        allocator=run.system.backend.peak_memory(),
        device=used if on_gpu else None,
        resident=None if on_gpu else used,
    )


def _during(run: PointRun) -> list[Sample]:
    """The samples from the last one before the first measured trial to the first one after the last."""
    samples = run.watch.samples
    trials = [trial for trial in measured_trials(run.trials) if trial.steps]
    if not trials:
        return samples
    start, end = min(trials[0].submitted.values()), trials[-1].steps[-1].time
    before = [i for i, s in enumerate(samples) if (s["time_s"] or 0) <= start]
    after = [i for i, s in enumerate(samples) if (s["time_s"] or 0) >= end]
    return samples[before[-1] if before else 0 : (after[0] + 1) if after else None]


def _no_roofline(system: SystemUnderTest, point: Point, known: bool) -> str | None:
    """Why no roofline can be shown; None where one can."""
    if system.dims is None:
        return "no roofline: the architecture of this checkpoint has no closed form here"
    if system.dtype is None:
        return f"no roofline: the bytes of {system.backend.dtype} are not known here"
    if point.batch is None:
        return "no roofline: the batch of an open loop changes from step to step"
    if system.backend.device.startswith("cuda") and not known:
        return "no data-sheet roofline: this GPU is not in zoo/arch/gpus.yaml"
    return None
