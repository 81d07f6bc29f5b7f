"""What each job of a night will take: by earlier nights and runs, else by estimate or the roofline, else unknown and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Literal

from backends.contract import Options
from harness.accuracy.dry_run import DryRun, dry_run
from harness.accuracy.prepare import DocumentRules, EvalRequest
from harness.accuracy.times.pace import Estimate, estimated_time
from harness.fleet.plan.earlier import Earlier
from harness.fleet.plan.evaluated import ran_on
from harness.fleet.plan.schema import CPU
from harness.records.measured_work import Measured
from harness.records.night import Job, Night
from harness.speed.workloads.workload import Workload, load_workload, points
from harness.store.measured_work import measured_work
from harness.suites.suite import TaskSelection
from zoo.arch.gpus import load_gpus
from zoo.errors import MinizooError


@dataclass(frozen=True)
class JobCost:
    """How long one job is expected to take."""

    job: Job
    minutes: float | None
    """None: nothing tells."""
    basis: str
    """What that rests on, or why nothing tells."""
    bound: Literal["", "at least", "at most"] = ""
    """Where it is no estimate but a limit: arithmetic that no machine can beat, answers counted at their longest."""

    @property
    def gpu_hours(self) -> float | None:
        """0 on a CPU; None where nothing tells."""
        if self.job.accelerator is None:
            return 0.0
        return None if self.minutes is None else self.minutes * self.job.split / 60


def cost_of(night: Night, results: Path) -> Sequence[JobCost]:
    """A row a job, in their order. Plans each evaluation that nothing earlier tells of; runs nothing and downloads nothing."""
    earlier = Earlier(results)
    measured = _measured(results)
    return [_cost(job, earlier, measured) for job in night.jobs]


def _cost(job: Job, earlier: Earlier, measured: Sequence[Measured]) -> JobCost:
    if (took := earlier.of(job)) is not None:
        return JobCost(job, took.minutes, took.told)
    try:
        return _evaluation(job, measured) if job.kind == "eval" else _speed(job)
    except MinizooError as error:
        return JobCost(job, None, f"unknown: {error.what}")


def _evaluation(job: Job, measured: Sequence[Measured]) -> JobCost:
    planned = dry_run(_request(job))
    here = planned.place and ran_on(*_gpu_and_device(planned), job.accelerator or CPU)
    amounts = {task.task: task.amount for task in planned.tasks}
    estimate = estimated_time(amounts, planned.identity, planned.flops, planned.place if here else None, measured)
    if estimate.total is not None and not estimate.unknown:
        bound = "at most" if estimate.at_most else ""
        return JobCost(job, estimate.total / 60, f"{'; '.join(estimate.basis)}; loading comes on top", bound)
    return _by_roofline(job, planned, estimate)


def _by_roofline(job: Job, planned: DryRun, estimate: Estimate) -> JobCost:
    """The least time in which the GPU can do the tokens' arithmetic."""
    amounts = [task.amount for task in planned.tasks]
    tokens = [(one.score_tokens, one.prompt_tokens or 0, one.new_tokens) for one in amounts]
    known = [(scored or 0) + prompts + (new or 0) for scored, prompts, new in tokens]
    if job.accelerator is None or planned.flops is None or not sum(known):
        kinds = " and ".join(estimate.unknown) or "its tasks"
        return JobCost(job, None, f"unknown: no earlier run here tells the pace of {kinds}")
    gpu = load_gpus()[job.accelerator]
    peak = gpu.flops_per_s("bfloat16")
    assert peak is not None  # every row of the table has one
    seconds = sum(known) * planned.flops / peak
    basis = f"roofline of {gpu.display} for the products of {sum(known):,} tokens in bf16"
    return JobCost(job, seconds / 60, basis, "at least")


def _speed(job: Job) -> JobCost:
    """By the workload's own rule: how long each point must be measured."""
    words = job.steps[0].words
    workload = load_workload(words[words.index("--workload") + 1])
    seconds = float(words[words.index("--seconds") + 1]) if "--seconds" in words else workload.rule.seconds
    least = len(job.steps) * _least_seconds(workload, seconds)
    if not least:
        return JobCost(job, None, "unknown: no earlier run of it is here, and the plan asks for no seconds of trials")
    told = f"workload {workload.name} asks for no less in {len(job.steps)} processes, without warm-up and their start"
    return JobCost(job, least / 60, told, "at least")


def _least_seconds(workload: Workload, seconds: float) -> float:
    """Of one process; a sweep counts as its first point."""
    total = 0.0
    for point in takewhile(lambda one: not one.swept or one.batch == 1, points(workload)):
        total += seconds if point.rate is None else max(seconds, workload.rule.requests / point.rate)
    return total


def _request(job: Job) -> EvalRequest:
    """The evaluation that a job's command asks for."""
    words = job.steps[0].words

    def said(option: str) -> str | None:
        return words[words.index(option) + 1] if option in words else None

    limit, data = said("--limit"), said("--data")
    return EvalRequest(
        said("--model") or job.model,
        said("--name"),
        said("--parent"),
        TaskSelection((said("--suite") or "",)),
        said("--backend"),
        Options(said("--device") or "auto", said("--dtype") or "auto"),
        DocumentRules(int(limit) if limit else None),
        Path(data) if data else None,
    )


def _gpu_and_device(planned: DryRun) -> tuple[str | None, str]:
    assert planned.place is not None
    gpu = planned.place.hardware if planned.place.device == "cuda" else None
    return gpu, planned.place.device


def _measured(results: Path) -> Sequence[Measured]:
    if not (results / "runs").is_dir():
        return []
    try:
        return measured_work(results)
    except MinizooError:
        return []
