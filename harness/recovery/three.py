"""The documents that three sides have in common, from the pairs of the parent with each of the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from harness.compare.evidence import Evidence


@dataclass(frozen=True)
class Three:
    """The same documents of all three, in one order. `loss` pairs the parent (A) with the pruned model (B), `gain` the
    distilled model (A) with the pruned one (B)."""

    loss: Evidence
    gain: Evidence
    left_out: int
    """Documents that the parent has in common with one of the two only."""

    @property
    def in_unit_interval(self) -> bool:
        """Whether every value of all three lies between 0 and 1."""
        return self.loss.in_unit_interval and self.gain.in_unit_interval


def three_of(with_pruned: Evidence, with_distilled: Evidence) -> Three | None:
    """The documents of both pairs, by the parent's place of each; None where they share none.

    Both pairs were found to be asked the same requests as the parent, so the three were asked the same.
    """
    import numpy as np

    there = {where: at for at, where in enumerate(_places(with_distilled))}
    places = _places(with_pruned)
    common = [(at, there[where]) for at, where in enumerate(places) if where in there]
    if not common:
        return None
    first, second = (np.array(column, dtype=np.int64) for column in zip(*common, strict=True))
    loss, other = with_pruned.where(first), with_distilled.where(second)
    clusters = loss.clusters if loss.clusters is not None else other.clusters
    loss = replace(loss, clusters=clusters)
    gain = replace(loss, a=other.b, gold_a=other.gold_b, b=loss.b, gold_b=loss.gold_b, place_a=other.place_b)
    return Three(loss, gain, len(places) + len(there) - 2 * len(common))


def _places(evidence: Evidence) -> list[tuple[Any, int]]:
    return list(zip(evidence.task.tolist(), evidence.place_a.tolist(), strict=True))
