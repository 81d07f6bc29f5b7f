"""Accuracy item by item: each document has a margin, each night shakes it anew, and a flip is a margin that changed its sign.

The baseline is one such draw, kept for a series of nights; the next series has other documents and another baseline. Margins
lie symmetrically around 0, so that noise of any size loses as many right answers as it gains, in expectation: what noise
takes from real accuracy would be a loss, not a false alarm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from typing import Any

import numpy as np

from benchmarks.nights import plan
from benchmarks.nights.plan import BINARY, GOLD, TASKS, Task
from harness.stats.paired.clusters import clustered_sign_test

EDGES = np.cumsum([0, *(task.documents for task in BINARY)])
SLICES = {task.name: slice(start, end) for task, start, end in zip(BINARY, EDGES[:-1], EDGES[1:], strict=True)}
REAL = tuple(task for task in TASKS if not task.binary)
WORTH_TESTING = -2.8
"""The exact test of sums of clusters is computed where their z lies below: above, p is over 0.002, and no alarm."""


@dataclass(frozen=True)
class Counts:
    """What a test needs of nights, one row each: arrays [nights, tasks]."""

    lost: Any
    gained: Any
    clustered_p: Any
    """[nights]: of HellaSwag's sources; 1 where it is far from an alarm."""
    gold_sum: Any
    gold_squares: Any
    real_sum: Any
    real_squares: Any


@cache
def nodes() -> tuple[Any, Any]:
    """Documents' own scales relative to their median, with weights that sum to 1 (Gauss and Hermite)."""
    points, weights = np.polynomial.hermite_e.hermegauss(41)
    return np.exp(plan.SPREAD * points), weights / weights.sum()


@cache
def scale_of(discordance: float) -> float:
    """The median perturbation, in nats, at which two runs disagree in that share of the documents.

    Two normal margins of correlation ρ have other signs with chance arccos(ρ)/π (Sheppard 1899); ρ = M²/(M² + s²).
    """
    scales, weights = nodes()

    def beyond(median: float) -> float:
        rho = plan.MARGIN_SD**2 / (plan.MARGIN_SD**2 + (median * scales) ** 2)
        return float(weights @ np.arccos(rho)) / math.pi - discordance

    return _root(beyond, 1e-6, 100.0)


@cache
def shift_of(discordance: float, loss: float) -> float:
    """How far every margin must fall, in nats, for the share of right answers to fall by `loss`."""
    from scipy.special import ndtr

    scales, weights = nodes()
    sd = np.sqrt(plan.MARGIN_SD**2 + (scale_of(discordance) * scales) ** 2)
    return _root(lambda shift: 0.5 - float(weights @ ndtr(-shift / sd)) - loss, 0.0, 10.0) if loss else 0.0


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    found: Any = brentq(function, low, high)
    return float(found)


@dataclass(frozen=True)
class Documents:
    """Margins and scales of one model's documents, those of BINARY one after the other: float32."""

    margin: Any
    scale: Any

    @classmethod
    def drawn(cls, dice: np.random.Generator, discordance: float, n: int) -> Documents:
        """New ones."""
        margin = dice.standard_normal(n, dtype=np.float32) * np.float32(plan.MARGIN_SD)
        spread = np.exp(np.float32(plan.SPREAD) * dice.standard_normal(n, dtype=np.float32))
        return cls(margin, spread * np.float32(scale_of(discordance)))

    def shaken(self, dice: np.random.Generator, nights: int, heavy: Any = None) -> Any:
        """Perturbations in nats, [nights, documents]."""
        drawn = dice.standard_normal((nights, len(self.margin)), dtype=np.float32)
        drawn *= self.scale
        if heavy is not None:
            drawn[heavy] *= np.float32(plan.HEAVY_SCALE)
        return drawn


def binary_nights(
    dice: np.random.Generator,
    documents: Documents,
    heavy: Any,
    loss: Loss | None = None,
    tasks: tuple[Task, ...] = BINARY,
) -> tuple[Any, ...]:
    """One cell's nights against one baseline: lost, gained, clustered p, gold sums and squares."""
    nights = len(heavy)
    slices = _slices(tasks)
    reference = documents.shaken(dice, 1)[0]
    right_before = documents.margin + reference > 0
    moved = documents.shaken(dice, nights, heavy)
    if loss is not None:
        loss.applied(dice, moved)
    difference = (moved + documents.margin > 0).view(np.int8) - right_before.view(np.int8)
    moved -= reference
    sums = np.stack([difference[:, at].sum(axis=1, dtype=np.int64) for at in slices.values()], axis=1)
    changed = np.stack([np.count_nonzero(difference[:, at], axis=1) for at in slices.values()], axis=1)
    gold = [moved[:, slices[task.name]] for task in tasks if task in GOLD]
    clustered = _clustered(difference[:, slices[plan.CLUSTERED]]) if plan.CLUSTERED in slices else np.ones(nights)
    return (
        (changed - sums) // 2, (changed + sums) // 2, clustered,
        np.stack([part.sum(axis=1, dtype=np.float64) for part in gold], axis=1),
        np.stack([np.einsum("ij,ij->i", part, part) for part in gold], axis=1).astype(np.float64),
    )  # fmt: skip


@dataclass(frozen=True)
class Loss:
    """A loss planted in every night. `spread`: each margin falls by `shift`; `few`: a part of the documents by much more."""

    shift: float
    share: float = 1.0

    def applied(self, dice: np.random.Generator, moved: Any) -> None:
        """Take it from the perturbations."""
        if self.share == 1.0:
            moved -= np.float32(self.shift)
        else:
            moved -= np.float32(self.shift) * (dice.random(moved.shape[1], dtype=np.float32) < self.share)


def real_nights(dice: np.random.Generator, discordance: float, heavy: Any, loss: float = 0.0) -> tuple[Any, Any]:
    """Sums and squares of the differences of the real-valued tasks, [nights, tasks]: a share of probabilities, an overlap."""
    made: list[Any] = []
    for task in REAL:
        found = _masses if task.kind == "mass" else _overlaps
        made.append(found(dice, discordance, heavy, task.documents) - np.float32(loss))
    return (
        np.stack([part.sum(axis=1, dtype=np.float64) for part in made], axis=1),
        np.stack([np.einsum("ij,ij->i", part, part) for part in made], axis=1).astype(np.float64),
    )


def _masses(dice: np.random.Generator, discordance: float, heavy: Any, n: int) -> Any:
    """The mass of the true answers is the logistic function of the margin."""
    documents = Documents.drawn(dice, discordance, n)
    before = documents.margin + documents.shaken(dice, 1)[0]
    after = documents.margin + documents.shaken(dice, len(heavy), heavy)
    return (np.tanh(after / 2) - np.tanh(before / 2)) / 2


def _overlaps(dice: np.random.Generator, discordance: float, heavy: Any, n: int) -> Any:
    """A text keeps its overlap unless it changes; then it moves by a Laplace draw, in either run."""
    share = min(1.0, plan.TEXTS_CHANGED * discordance) / 2

    def moved(nights: int, chance: Any) -> Any:
        changed = dice.random((nights, n), dtype=np.float32) < chance
        drawn = dice.standard_exponential((nights, n), dtype=np.float32)
        drawn -= dice.standard_exponential((nights, n), dtype=np.float32)
        return changed * drawn * np.float32(plan.OVERLAP_SCALE)

    often = np.where(heavy, plan.HEAVY_SCALE * share, share).astype(np.float32)[:, None]
    return moved(len(heavy), often) - moved(1, np.float32(share))


def _slices(tasks: tuple[Task, ...]) -> dict[str, slice]:
    if tasks == BINARY:
        return SLICES
    edges = np.cumsum([0, *(task.documents for task in tasks)])
    return {task.name: slice(start, end) for task, start, end in zip(tasks, edges[:-1], edges[1:], strict=True)}


@cache
def source_starts(n: int) -> Any:
    """Where each source begins among n documents."""
    sizes = np.fromiter(islice(cycle(plan.SOURCES), n), dtype=np.int64)
    starts = np.cumsum([0, *sizes])
    return starts[starts < n]


def _clustered(difference: Any) -> Any:
    """The p-value of each night's sums by source."""
    sums = np.add.reduceat(difference, source_starts(difference.shape[1]), axis=1)
    size = np.sqrt(np.einsum("ij,ij->i", sums, sums, dtype=np.float64))
    z = sums.sum(axis=1, dtype=np.float64) / np.maximum(size, 1.0)
    found = np.ones(len(sums))
    for night in np.flatnonzero(z < WORTH_TESTING):
        found[night] = clustered_sign_test(sums[night], "less")
    return found
