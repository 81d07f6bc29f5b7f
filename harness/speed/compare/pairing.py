"""At which batches two models are compared: the same batch for both, and the same memory for both.

Published speed-ups of the family are at unequal batches (arXiv 2408.11796, figure 10: 64 for 4B models, 32 for 8B ones), so
both rules are stated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harness.speed.system import SystemUnderTest
from harness.speed.workloads.workload import LARGEST_BATCH, Point, Workload, points
from harness.stats.ratio import FEWEST
from zoo.arch.roofline import largest_batch, memory_bytes
from zoo.errors import NotComparable

PairingRule = Literal["equal batch", "equal memory"]


@dataclass(frozen=True)
class Pairing:
    """Two points that are measured in turn, and the rules by which they are a fair pair."""

    point: Point
    against: Point
    modes: tuple[PairingRule, ...]
    budget: int | None
    """Bytes of weights and caches that each had to fit into, where equal memory is the rule."""


def pairings(
    workload: Workload, ours: SystemUnderTest, theirs: SystemUnderTest, memory: int | None = None
) -> Iterator[Pairing]:
    """For each batch of the workload: both at that batch; and both within one memory.

    That memory is what the other model takes at that batch, at which it stays while ours takes as many sequences as fit; or
    `memory` bytes, in which both take as many as fit. Where that comes to the same batches, one pairing serves both rules.
    Without dimensions in closed form there is no rule of memory. Raises NotComparable for arrivals at a rate, for a sweep and
    for too few trials.
    """
    if workload.rates or workload.batches == "sweep":
        raise NotComparable(
            f"--against compares at stated batches, and workload {workload.name} has none.", "Add --batch 8."
        )
    if workload.rule.trials < FEWEST:
        raise NotComparable(
            f"{workload.rule.trials} trials are too few to compare.", f"Take --trials {FEWEST} or more."
        )
    seen: set[tuple[Point, Point]] = set()
    for point in points(workload):
        fair = _within_one_memory(point, ours, theirs, memory)
        same = (point, point)
        if fair is None or fair[:2] != same:
            yield Pairing(point, point, ("equal batch",), None)
        else:
            yield Pairing(point, point, ("equal batch", "equal memory"), fair[2])
        if fair is not None and fair[:2] != same and fair[:2] not in seen:
            seen.add(fair[:2])
            yield Pairing(fair[0], fair[1], ("equal memory",), fair[2])


def _within_one_memory(
    point: Point, ours: SystemUnderTest, theirs: SystemUnderTest, memory: int | None
) -> tuple[Point, Point, int] | None:
    """Our point, theirs, and the bytes; None where bytes are not known or one of the models does not fit."""
    if theirs.dims is None or theirs.dtype is None:
        return None
    length = point.shape.input + point.shape.output
    budget = memory or memory_bytes(theirs.dims, point.batch or 1, length, theirs.dtype, theirs.dtype)
    own = _largest_batch(ours, budget, length)
    other = _largest_batch(theirs, budget, length) if memory else point.batch or 1
    return (Point(point.shape, own), Point(point.shape, other), budget) if own and other else None


def _largest_batch(system: SystemUnderTest, budget: int, length: int) -> int:
    """Sequences of `length` tokens whose caches fit into `budget` bytes beside the weights; 0 where that is not known."""
    if system.dims is None or system.dtype is None:
        return 0
    return min(LARGEST_BATCH, largest_batch(system.dims, budget, length, system.dtype, system.dtype))
