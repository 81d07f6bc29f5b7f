"""What the gate's tests say of simulated nights: the p-value of every test, and the smallest of each family.

Holm's first step compares the smallest p of m with alpha/m, so a family alarms on a night exactly where that holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from benchmarks.nights import plan
from benchmarks.nights.items import REAL, Documents, Loss, binary_nights, real_nights
from benchmarks.nights.plan import BINARY, CLUSTERED, GOLD, TESTED, Task
from harness.gates.accuracy_tests import ROUNDING
from harness.stats.paired.binary import difference_p, mcnemar
from harness.stats.paired.real import mean_p_of

SIZES = np.array([task.documents for task in BINARY])
CLUSTERED_AT = [task.name for task in BINARY].index(CLUSTERED)


@dataclass(frozen=True)
class NightTests:
    """The p-values of nights, one-sided: arrays [series, nights, cells, tasks]."""

    accuracy: Any
    """Tasks in the order of TESTED."""
    gold: Any
    """That the mean falls below minus the margin; tasks in the order of GOLD."""
    gold_plain: Any
    """The same with a margin of 0."""
    breach: Any
    """That the loss is beyond the margin of release; tasks as of accuracy."""
    discordance: Any
    """Of the tasks of BINARY."""


@dataclass(frozen=True)
class Rule:
    """What the policy may spend, by family, and its margins."""

    alpha: dict[str, float]
    """`release`: of losses beyond the margin."""
    gold_margins: tuple[float, ...]
    """Nats, of the tasks of GOLD."""
    margins: tuple[float, ...]
    """Of the tasks of TESTED."""

    def threshold(self, family: str) -> float:
        """What the smallest p-value of the family must reach: Holm's first step."""
        return self.alpha[family] / plan.TESTS[family]


def heavy_nights(seed: Any, series: int, nights: int) -> Any:
    """Which nights are heavy on which GPU, as cells: [series, nights, cells]. The same for accuracy and for speed."""
    by_gpu = np.random.default_rng(seed).random((series, nights, plan.GPUS)) < plan.HEAVY_SHARE
    return np.tile(by_gpu, (1, 1, plan.MODELS))


def nights_tested(dice: np.random.Generator, discordance: float, heavy: Any, rule: Rule) -> NightTests:
    """Nights without a loss: each series has new documents and, for each cell, a new baseline. `heavy` as above."""
    series, nights, cells = heavy.shape
    shape = (series, nights, cells)
    found = [np.empty((*shape, many)) for many in (len(TESTED), len(GOLD), len(GOLD), len(TESTED), len(BINARY))]
    for at, model in product(range(series), range(cells // plan.GPUS)):
        documents = Documents.drawn(dice, discordance, int(SIZES.sum()))
        for cell in range(model * plan.GPUS, (model + 1) * plan.GPUS):
            made = _tests(dice, documents, discordance, heavy[at, :, cell], rule)
            for kept, values in zip(found, made, strict=True):
                kept[at, :, cell] = values
    return NightTests(*found)


def _tests(
    dice: np.random.Generator, documents: Documents, discordance: float, heavy: Any, rule: Rule
) -> tuple[Any, ...]:
    lost, gained, clustered, gold, squares = binary_nights(dice, documents, heavy)
    accuracy = np.asarray(mcnemar(lost, gained, "less"))
    accuracy[:, CLUSTERED_AT] = clustered
    real = real_nights(dice, discordance, heavy)
    margins = np.array(rule.margins)
    beyond = np.asarray(difference_p(lost, gained, SIZES, -margins[: len(BINARY)], "less"))
    return (
        np.concatenate([accuracy, mean_p(REAL, *real, -ROUNDING)], axis=1),
        mean_p(GOLD, gold, squares, -np.array(rule.gold_margins)),
        mean_p(GOLD, gold, squares),
        np.concatenate([beyond, mean_p(REAL, *real, -margins[len(BINARY) :])], axis=1),
        (lost + gained) / SIZES,
    )


def mean_p(tasks: tuple[Task, ...], sums: Any, squares: Any, null: Any = 0.0) -> Any:
    """The one-sided t test of means, from sums and sums of squares [nights, tasks]."""
    n = np.array([task.documents for task in tasks], dtype=float)
    means = sums / n
    stderr = np.sqrt(np.maximum(squares / n - means**2, 0.0) / (n - 1))
    return mean_p_of(means, stderr, n - 1, null, "less")


def smallest(p: Any) -> Any:
    """The smallest p of each night over cells and tasks, [series, nights]."""
    return p.reshape(*p.shape[:2], -1).min(axis=2)


@dataclass(frozen=True)
class LossNights:
    """Nights of one task on one GPU, each with a baseline of its own: arrays [nights]."""

    lost: Any
    gained: Any
    p: Any
    """Of the test that the gate uses to detect."""
    gold_p: Any


def loss_nights(
    dice: np.random.Generator, task: Task, discordance: float, loss: Loss | None, nights: int, rule: Rule
) -> LossNights:
    """Each a usual night with new documents, a new baseline, and the loss planted."""
    usual = np.zeros(1, dtype=bool)
    rows = [
        binary_nights(dice, Documents.drawn(dice, discordance, task.documents), usual, loss, (task,))
        for _ in range(nights)
    ]
    lost, gained, clustered, gold, squares = (np.concatenate(column) for column in zip(*rows, strict=True))
    p = clustered if task.name == CLUSTERED else np.asarray(mcnemar(lost, gained, "less"))[:, 0]
    margin = rule.gold_margins[GOLD.index(task)]
    return LossNights(lost[:, 0], gained[:, 0], p, mean_p((task,), gold, squares, -margin)[:, 0])
