"""Which shapes a budget allows, and which of them are tried: all that is known before a weight is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from zoo.arch.dims import Dense
from zoo.arch.gpus import Gpu
from zoo.checkpoint.model_ref import resolve
from zoo.errors import ConflictingOptions, DeviceMissing, NoCandidate
from zoo.files import check_writable, json_object, write_atomically
from zoo.search.budget import CPU, Budget
from zoo.search.candidates import Candidate, candidates_within, spread, table
from zoo.search.costs import Costs, costs_of, gpu_of, load_of
from zoo.search.latency import (
    ANCHORS,
    LayerTime,
    Load,
    MeasuredLayers,
    MeasuredStep,
    MeasureLayer,
    StepTimes,
    Widths,
    of_rows,
)
from zoo.search.request import SearchRequest
from zoo.search.space import AXES, Axis, Shape, Space, shape_of, space_of

CANDIDATES, TIMES = "candidates.csv", ".layer-times.json"
ROUNDS = 8
"""How often more shapes are timed where their measured time takes some of them out of the budget."""


@dataclass(frozen=True)
class Timing:
    """What is known of latencies from above: rows that were measured on a GPU, and for a device that is here, who times
    layers on it (None where it is not here)."""

    rows: Callable[[Gpu], Sequence[MeasuredStep]] = lambda _gpu: ()
    measurer: Callable[[Gpu | None], MeasureLayer | None] = lambda _gpu: None


@dataclass(frozen=True)
class Planned:
    """The candidates within the budget, nearest first, and those that are tried, in the order of their numbers."""

    space: Space
    costs: Costs
    within: tuple[Candidate, ...]
    tried: tuple[Candidate, ...]
    axes: tuple[Axis, ...]


def plan_search(
    request: SearchRequest, parent: Dense, timing: Timing, note: Callable[[str], None], kept: Path | None = None
) -> Planned:
    """The plan of a search; `kept` is a file for times that are measured, so that none is measured twice.

    Raises NoSmallerShape, NoCandidate, InvalidBudget, ConflictingOptions where layers are to be cut by a latency that cannot
    tell what depth costs, DeviceMissing for a device that is to be measured and is not here.
    """
    times = _times(request, parent, timing, kept)
    axes = _axes(request, times, note)
    space = space_of(parent, axes, request.least_share)
    if isinstance(times, MeasuredLayers):
        times.time(_anchors(space))
    costs = costs_of(request.budget, parent, request.within, times)
    within = candidates_within(space, costs)
    if isinstance(times, MeasuredLayers):
        within, timed = _measured(request, space, costs, times, within)
        costs = costs_of(request.budget, parent, request.within, times)
    else:
        timed = within
    return Planned(space, costs, tuple(within), tuple(spread(timed, request.candidates)), axes)


def preview(request: SearchRequest, timing: Timing, note: Callable[[str], None] = lambda _line: None) -> Planned:
    """The candidates, from the registry or config.json alone; with an `out` candidates.csv in it. No weight is read."""
    dims = resolve(request.parent).dense_dims
    kept = None
    if request.out is not None:
        check_writable(request.out)
        kept = request.out / TIMES
    planned = plan_search(request, dims, timing, note, kept)
    if request.out is not None:
        write_atomically(request.out / CANDIDATES, table(planned.within, planned.tried).encode())
    return planned


def _axes(request: SearchRequest, times: StepTimes | None, note: Callable[[str], None]) -> tuple[Axis, ...]:
    if times is None or times.chooses_depth:
        return request.axes or AXES
    if request.axes is None:
        note(f"Layers stay as many as the parent's, since the latency is a {times.told}.")
        return tuple(axis for axis in AXES if axis != "layers")
    if "layers" in request.axes and len(request.axes) > 1:
        raise ConflictingOptions(
            f"Depth cannot be chosen against width by this latency: it is a {times.told}.",
            "Leave layers out of --axes, search where the GPU is, or measure rows on it first (`minizoo bench`).",
        )
    return request.axes


def _times(request: SearchRequest, parent: Dense, timing: Timing, kept: Path | None) -> StepTimes | None:
    budget = request.budget
    if budget.kind != "latency":
        return None
    gpu, load = gpu_of(budget), load_of(budget, parent)
    measure = timing.measurer(gpu)
    if measure is not None:
        return _layers(measure, load, budget, parent, kept)
    if gpu is None:
        raise DeviceMissing(f"Nothing here times layers on {CPU}.", "Name a GPU of `minizoo bench --dry-run`.")
    return of_rows(gpu, load, timing.rows(gpu))


def _layers(measure: MeasureLayer, load: Load, budget: Budget, parent: Dense, kept: Path | None) -> MeasuredLayers:
    of = f"{budget.device} {load} {parent.head_dim} {parent.num_kv_heads} {parent.vocab_size}"
    times: dict[Widths, LayerTime] = {}
    stored = json_object(kept) if kept is not None else {}
    if kept is not None and stored.get("of") == of:
        for widths, layer, rest in stored["times"]:
            times[cast(Widths, tuple(widths))] = LayerTime(layer, rest)

    def keep(all_times: Mapping[Widths, LayerTime]) -> None:
        if kept is not None:
            listed = [[list(widths), each.layer, each.rest] for widths, each in all_times.items()]
            write_atomically(kept, json.dumps({"of": of, "times": listed}).encode())

    return MeasuredLayers(measure, load, times, kept=keep)


def _anchors(space: Space) -> list[Dense]:
    """The parent's widths, and others far from them and each other."""
    whole = shape_of(space.parent)
    widths = sorted({Shape(whole.layers, each.heads, each.hidden, each.ffn) for each in space.shapes()}, reverse=True)
    found = spread([Candidate(each, 0, 0.0, 0.0) for each in [whole, *(w for w in widths if w != whole)]], ANCHORS)
    return [each.shape.of(space.parent) for each in found]


def _measured(
    request: SearchRequest, space: Space, costs: Costs, times: MeasuredLayers, within: list[Candidate]
) -> tuple[list[Candidate], list[Candidate]]:
    """Shapes within the budget by times as measured, and of these the ones that were timed themselves.

    In each round as many shapes are timed as are missing. Raises NoCandidate where none that was timed stays.
    """

    def is_timed(each: Candidate) -> bool:
        return times.is_timed(each.shape.of(space.parent))

    def parted(found: list[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
        return [each for each in found if is_timed(each)], [each for each in found if not is_timed(each)]

    timed, others = parted(within)
    for _ in range(ROUNDS):
        missing = request.candidates - len(timed)
        if missing <= 0 or not others:
            break
        times.time(each.shape.of(space.parent) for each in spread(others, missing))
        within = candidates_within(space, costs)
        timed, others = parted(within)
    if not timed:
        raise NoCandidate(
            f"Of {len(times.dims)} widths that were timed none costs {costs.words(costs.wanted)} ±{costs.within:.1%} (a width "
            f"is predicted from the others to within {times.error:.1%} on average).",
            "Allow more with --within.",
        )
    return within, timed
