"""The simulation in pieces that any process can do, each by seeds of its own: the outcome does not depend on who does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.nights import plan
from benchmarks.nights.alarms import Rule, heavy_nights, loss_nights, nights_tested, smallest
from benchmarks.nights.items import Loss, scale_of, shift_of
from benchmarks.nights.plan import BINARY, DISCORDANCES, SPEED_NOISES, TASKS

SERIES_A_JOB = 10
FEW_SHIFT = 4.0
"""Nats that the margin of a document falls where few documents carry the loss."""
LOSSES = ("none", "spread", "few")
LOSS_TASKS = ("mmlu", "hellaswag")


@dataclass(frozen=True)
class Job:
    """A piece of work: `accuracy` (of a discordance), `speed` (of a noise) or `loss` (of a discordance)."""

    kind: str
    level: float
    part: int
    many: int
    """Series, or nights of a loss."""
    seed: int
    rule: Rule
    what: tuple[str, ...] = ()
    """Task and kind of a loss; how many pairs of trials."""

    def dice(self, *more: int) -> np.random.Generator:
        """A generator of its own."""
        return np.random.default_rng((self.seed, *_numbers(self), *more))


def jobs(series: int, nights_of_loss: int, seed: int, rule: Rule) -> Iterator[Job]:
    """All pieces: accuracy first, which takes longest."""
    parts = [min(SERIES_A_JOB, series - start) for start in range(0, series, SERIES_A_JOB)]
    for part, many in enumerate(parts):
        yield from (Job("accuracy", level, part, many, seed, rule) for level in DISCORDANCES)
    for part, many in enumerate(parts):
        yield from (
            Job("speed", level, part, many, seed, rule, (str(pairs),))
            for level in SPEED_NOISES
            for pairs in plan.PAIR_COUNTS
        )
    for what in [(task, loss) for task in LOSS_TASKS for loss in LOSSES]:
        yield from (Job("loss", level, 0, nights_of_loss, seed, rule, what) for level in DISCORDANCES)


def done(job: Job) -> tuple[Job, dict[str, Any]]:
    """The job's outcome: arrays by name."""
    kinds: dict[str, Callable[[Job], dict[str, Any]]] = {"accuracy": _accuracy, "speed": _speed, "loss": _loss}
    return job, kinds[job.kind](job)


def _accuracy(job: Job) -> dict[str, Any]:
    """Series of nights without a loss."""
    heavy = heavy_nights((job.seed, job.part), job.many, plan.NIGHTS_OF_A_BASELINE)
    tests = nights_tested(job.dice(), job.level, heavy, job.rule)
    reached = tests.accuracy <= job.rule.threshold("accuracy")
    gold = tests.gold_plain <= job.rule.threshold("gold")
    return {
        "accuracy": smallest(tests.accuracy),
        "gold": smallest(tests.gold),
        "gold_plain": smallest(tests.gold_plain),
        "release": smallest(tests.breach),
        "by_task": reached.sum(axis=(0, 1, 2)),
        "gold_by_task": gold.sum(axis=(0, 1, 2)),
        "heavy_alarms": np.array(
            [int((reached.any(axis=3) & heavy).sum()), int(heavy.sum()), int(reached.any(axis=3).sum())]
        ),
        "discordance": tests.discordance[~heavy].mean(axis=0),
        "discordance_heavy": tests.discordance[heavy].mean(axis=0) if heavy.any() else np.full(len(BINARY), np.nan),
    }


def _speed(job: Job) -> dict[str, Any]:
    """The same nights' speeds, and those after them in which the candidate is slower."""
    from benchmarks.nights.speed import speed_nights

    heavy = heavy_nights((job.seed, job.part), job.many, plan.NIGHTS_OF_A_BASELINE)
    after = heavy_nights((job.seed, job.part, 1), job.many, plan.SLOW_NIGHTS)
    found = speed_nights(job.dice(), job.level, np.concatenate([heavy, after], axis=1), int(job.what[0]))
    return {"p": found.p, "raw": found.raw, "ratio": found.ratio}


def _loss(job: Job) -> dict[str, Any]:
    task = next(task for task in TASKS if task.name == job.what[0])
    found = loss_nights(job.dice(), task, job.level, loss_of(job.what[1], job.level), job.many, job.rule)
    return vars(found)


def loss_of(kind: str, discordance: float) -> Loss | None:
    """A loss of LOSS that is spread over all documents, or that few of them carry."""
    if kind == "none":
        return None
    if kind == "spread":
        return Loss(shift_of(discordance, plan.LOSS))
    return Loss(FEW_SHIFT, plan.LOSS / _lost_by(FEW_SHIFT, discordance))


def _lost_by(shift: float, discordance: float) -> float:
    """What accuracy loses where every margin falls by `shift`."""
    from scipy.special import ndtr

    from benchmarks.nights.items import nodes

    scales, weights = nodes()
    sd = np.sqrt(plan.MARGIN_SD**2 + (scale_of(discordance) * scales) ** 2)
    return 0.5 - float(weights @ ndtr(-shift / sd))


def _numbers(job: Job) -> tuple[int, ...]:
    """Whole numbers that no other job of the run has."""
    kind = ("accuracy", "speed", "loss").index(job.kind)
    if job.kind == "speed":
        return (kind, round(1000 * job.level), job.part, int(job.what[0]))
    what = (LOSS_TASKS.index(job.what[0]), LOSSES.index(job.what[1])) if job.what else (0, 0)
    return (kind, round(1000 * job.level), job.part, *what)
