"""The shapes that a budget allows, and the few of them that are tried."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.arch.parameters import count_parameters
from zoo.errors import NoCandidate
from zoo.search.costs import Costs
from zoo.search.space import Shape, Space

NAMED = 3
"""Shapes that are named where none is within the budget."""


@dataclass(frozen=True)
class Candidate:
    """A shape within the budget, what it costs, and how far that is from what is wanted."""

    shape: Shape
    parameters: int
    cost: float
    deviation: float

    @property
    def order(self) -> tuple[float, Shape]:
        """Nearest the budget first; of those as near, the one of more layers, heads, channels, neurons last."""
        return abs(self.deviation), self.shape


def candidates_within(space: Space, costs: Costs) -> list[Candidate]:
    """Every shape of the space within the budget, nearest first. Raises NoCandidate, naming the nearest where there is none."""
    every = [_candidate(shape, space, costs) for shape in space.shapes()]
    found = sorted((each for each in every if costs.is_within(each.cost)), key=lambda each: each.order)
    if found:
        return found
    nearest = sorted(every, key=lambda each: each.order)[:NAMED]
    named = "; ".join(f"{each.shape.words} ({costs.words(each.cost)}, {_beside(each.deviation)})" for each in nearest)
    cheapest, dearest = (pick(each.cost for each in every) for pick in (min, max))
    raise NoCandidate(
        f"No shape costs {costs.words(costs.wanted)} ±{costs.within:.1%}: those of the space cost {costs.words(cheapest)} to "
        f"{costs.words(dearest)}, the parent {costs.words(costs.parent)}. The nearest are {named}.",
        "Ask for one of their costs, allow more with --within, or a smaller --least-share.",
    )


def spread(candidates: Sequence[Candidate], count: int) -> list[Candidate]:
    """So many of them, far from each other: the one nearest the budget, then always the one whose nearest chosen one is
    farthest, by the logarithms of the dimensions (Gonzalez 1985). Of equals the earlier; nothing is random.

    Given nearest first, returned in the order of choice.
    """
    if not candidates:
        return []
    chosen = [candidates[0]]
    gaps = [each.shape.distance(chosen[0].shape) for each in candidates]
    while len(chosen) < min(count, len(candidates)):
        at = max(range(len(candidates)), key=lambda number: (gaps[number], -number))
        chosen.append(candidates[at])
        gaps = [min(gap, each.shape.distance(candidates[at].shape)) for gap, each in zip(gaps, candidates, strict=True)]
    return chosen


def table(candidates: Sequence[Candidate], chosen: Sequence[Candidate] = ()) -> str:
    """All candidates as CSV, nearest first; `tried` is the number by which the search calls those that it tries."""
    numbers = {each.shape: number for number, each in enumerate(chosen, 1)}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["layers", "heads", "hidden", "ffn", "parameters", "cost", "deviation", "tried"])
    for each in candidates:
        shape = each.shape
        row = [shape.layers, shape.heads, shape.hidden, shape.ffn, each.parameters, each.cost, round(each.deviation, 6)]
        writer.writerow([*row, numbers.get(shape, "")])
    return out.getvalue()


def _beside(deviation: float) -> str:
    """How far from the budget: `+6.2 %`, from ten times on `12 times it`."""
    return f"{deviation:+.1%}" if deviation < 9 else f"{deviation + 1:,.0f} times it"


def _candidate(shape: Shape, space: Space, costs: Costs) -> Candidate:
    dims = shape.of(space.parent)
    cost = costs.of(dims)
    return Candidate(shape, count_parameters(dims).total, cost, costs.deviation(cost))
