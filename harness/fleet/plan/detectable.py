"""What the gate of a night could detect: the smallest loss of each task, and the slow-down of each speed job."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, variance
from typing import NamedTuple

from harness.fleet.folders import nights_folder
from harness.fleet.plan.earlier import NIGHTS, limit_of
from harness.fleet.plan.loading import PlanFile
from harness.fleet.plan.schema import CPU
from harness.gates.loading import load_policy
from harness.gates.noise.file import load_noise
from harness.gates.policy import Policy
from harness.gates.power.documents import TaskDocuments, documents_of_suite
from harness.gates.power.foresight import USUAL, asks
from harness.gates.power.foresight import detectable as least_loss
from harness.records.night import CanaryBlocks, Job, Night, NightOutcome
from harness.suites.suite import load_suite
from zoo.errors import MinizooError

SLOWDOWN = 0.02
"""The smallest change of a speed that the canary's series alarm at."""


@dataclass(frozen=True)
class Detectable:
    """One task of one suite, or the speed of one workload, of each model of the night."""

    what: str
    """The task, or the workload."""
    where: str
    """The suite; of a speed the canary's model."""
    documents: int | None
    """Taken of it; of a speed the blocks of a night."""
    least: float | None
    """The smallest loss found with the policy's power, in the metric's own unit; of a speed a part of one. None: none is."""
    told: str
    """What that rests on, or why nothing can be found."""


def detectable(file: PlanFile, night: Night, results: Path | None = None) -> Sequence[Detectable]:
    """A row a task of each suite, then a row a speed job. Reads policies, suites, data and earlier nights; runs nothing.

    Every evaluation with a baseline is a pair of the gate; all of its tests share the policy's alpha.
    """
    policy = load_policy(file.policy).policy
    flips = load_noise(file.noise).flips if file.noise else {}
    evaluations = [job for job in night.jobs if job.kind == "eval"]
    asked = {_suite_of(job): job for job in evaluations}
    documents = {key: _documents(file, job) for key, job in asked.items()}
    gated = [_suite_of(job) for job in evaluations if job.baseline is not None]
    tests = sum(asks(policy, task.task) for suite in gated for task in documents[suite])
    found: list[Detectable] = []
    for suite, tasks in documents.items():
        level = _Level(policy, tests if suite in gated else 0)
        found += [_task(task, asked[suite].suite or "", level, flips.get(task.task)) for task in tasks]
    earlier = earlier_blocks(results) if results else []
    benches = [job for job in night.jobs if job.kind == "bench"]
    return found + [_speed(job, policy, earlier) for job in benches]


class _Level(NamedTuple):
    policy: Policy
    tests: int
    """Over which the policy's alpha is split; 0 where nothing of the suite is compared."""


def _task(task: TaskDocuments, suite: str, level: _Level, measured: float | None) -> Detectable:
    policy, tests = level
    usual = USUAL if measured is None else measured

    def row(least: float | None, told: str) -> Detectable:
        return Detectable(task.task, suite, task.taken, least, told)

    if not tests:
        return row(None, "no model of the night is held against a baseline on this suite")
    if not asks(policy, task.task):
        return row(None, f"policy {policy.name} does not ask whether it got worse")
    if not task.taken:
        return row(None, f"its documents are not counted: {task.basis}")
    if not task.unit_interval:
        return row(None, "its metric has no points to lose; the gate tests it by its own margin")
    alpha = policy.alpha.accuracy / tests
    least = least_loss(task.taken, usual, alpha, policy.power)
    changed = "measured" if measured is not None else "assumed"
    told = f"{100 * usual:.2g} % of documents change by chance ({changed}), alpha {alpha:.2g}, power {policy.power:g}"
    return row(least, told if least is not None else f"too few documents: not even losing all is found ({told})")


def _speed(job: Job, policy: Policy, earlier: Sequence[CanaryBlocks]) -> Detectable:
    blocks = len({step.block for step in job.steps if step.role == "canary"})
    what = f"{job.workload} of {job.name or job.model} by {job.backend} on {job.accelerator or CPU}"

    def row(least: float | None, told: str) -> Detectable:
        return Detectable(what, "canary" if blocks else "no canary", blocks, least, told)

    if not blocks:
        return row(None, "without a canary a speed is advisory: a slow machine and slow code look alike")
    noise = block_noise([one for one in earlier if _is_of(one, job)])
    if noise is None:
        return row(None, f"nothing tells its noise before some nights with two blocks; {SLOWDOWN:.0%} at the least")
    quantile = NormalDist().inv_cdf
    # tonight's mean of blocks against a long series' level, which is known much better
    found = (quantile(1 - policy.alpha.speed) + quantile(policy.power)) * noise / math.sqrt(blocks)
    told = f"blocks of earlier nights differ by {noise:.2%} (SD of the log ratio), {blocks} tonight"
    return row(max(SLOWDOWN, -math.expm1(-found)), told)


def block_noise(earlier: Sequence[CanaryBlocks]) -> float | None:
    """SD of the log ratio of a block inside a night, pooled over nights and metrics; None without two blocks in any.

    >>> block_noise([]) is None
    True
    """
    squares, freedom = 0.0, 0
    for one in earlier:
        ratios = [math.log(a / b) for a, b in zip(one.candidate, one.canary, strict=False) if a > 0 and b > 0]
        if len(ratios) > 1:
            squares += variance(ratios) * (len(ratios) - 1)
            freedom += len(ratios) - 1
    return math.sqrt(squares / freedom) if freedom else None


def earlier_blocks(results: Path) -> list[CanaryBlocks]:
    """What the newest nights measured beside their canary; a night that cannot be read tells nothing."""
    found: list[CanaryBlocks] = []
    for path in sorted(nights_folder(results).glob("*/outcome.json"), reverse=True)[:NIGHTS]:
        try:
            found += NightOutcome.model_validate_json(path.read_bytes()).canary
        except (OSError, ValueError):
            continue
    return found


def _is_of(one: CanaryBlocks, job: Job) -> bool:
    return (one.workload, one.backend) == (job.workload, job.backend) and one.model in (job.name, job.model)


def _suite_of(job: Job) -> tuple[str, int | None]:
    words = job.steps[0].words
    return words[words.index("--suite") + 1], limit_of(job)


def _documents(file: PlanFile, job: Job) -> Sequence[TaskDocuments]:
    word, limit = _suite_of(job)
    suite = load_suite(word)
    try:
        return documents_of_suite(suite, file.data, limit)
    except MinizooError as error:
        return [TaskDocuments(entry.task, entry.metric, None, None, error.what) for entry in suite.tasks]
