"""Places that say no more than the data: classes of figures that the best of them does not leave behind.

The leader of a class is the figure with the best lower bound that is in no class yet, and in its class is every other
whose upper bound reaches that bound. The anchor stays with the leader: one that moved from neighbour to neighbour would
chain all into one class.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Entrant:
    """A figure that takes part: whose it is, and its interval."""

    model: Hashable
    lower: float
    upper: float


@dataclass(frozen=True)
class Place:
    """Where a figure stands: one more than the models that a class before its own has, its own model not counted."""

    rank: int
    tied: int
    """Models in its class, this one too."""


def places(entrants: Sequence[Entrant], higher_is_better: bool) -> list[Place]:
    """The place of each, in the order given; in which order that is changes nothing.

    A model may take part several times, run in several ways: it then counts once.
    """
    spans = [(e.lower, e.upper) if higher_is_better else (-e.upper, -e.lower) for e in entrants]
    left = sorted(range(len(entrants)), key=lambda index: spans[index], reverse=True)
    made: dict[int, Place] = {}
    before: set[Hashable] = set()
    while left:
        bound = spans[left[0]][0]
        members = [index for index in left if spans[index][1] >= bound]
        left = [index for index in left if spans[index][1] < bound]
        models = {entrants[index].model for index in members}
        for index in members:
            made[index] = Place(1 + len(before - {entrants[index].model}), len(models))
        before |= models
    return [made[index] for index in range(len(entrants))]
