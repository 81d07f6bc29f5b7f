"""A model beside another: at which batches they meet, whether they may be compared, and by how much one is faster.

Published speed-ups of the family are at unequal batches (arXiv 2408.11796, figure 10: 64 for 4B models, 32 for 8B ones), so
both rules are stated here: the same batch for both, and the same memory for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.metrics.speed_metrics import load_metrics
from harness.records.speed_record import Comparison, SpeedFacts
from harness.speed.measure import Bench, Outcome
from harness.speed.workloads.workload import LARGEST_BATCH, Point, Workload, points
from harness.stats.ratio import FEWEST, RESAMPLES, speed_ratio
from zoo.arch.parameters import largest_batch
from zoo.arch.roofline import memory_bytes
from zoo.errors import InputError
from zoo.registry.loader import Model, load_registry

Mode = Literal["equal batch", "equal memory"]
COMPARED = ("output_rate", "ttft", "tpot", "e2e")
"""Metrics that have one sample a trial in a closed loop: trials are independent, the steps of one are not."""


@dataclass(frozen=True)
class Pairing:
    """Two points that are measured in turn, and the rules by which they are a fair pair."""

    point: Point
    against: Point
    modes: tuple[Mode, ...]
    budget: int | None
    """Bytes of weights and caches that each had to fit into, where equal memory is the rule."""


def pairings(workload: Workload, ours: Bench, theirs: Bench, memory: int | None = None) -> Iterator[Pairing]:
    """For each batch of the workload: both at that batch; and both within one memory.

    That memory is what the other model takes at that batch, at which it stays while ours takes as many sequences as fit; or
    `memory` bytes, in which both take as many as fit. Where that comes to the same batches, one pairing serves both rules.
    Without dimensions in closed form there is no rule of memory. InputError for arrivals at a rate and for a sweep.
    """
    if workload.rates or workload.batches == "sweep":
        raise InputError(
            f"--against compares at stated batches, and workload {workload.name} has none.", "Add --batch 8."
        )
    if workload.rule.trials < FEWEST:
        raise InputError(f"{workload.rule.trials} trials are too few to compare.", f"Take --trials {FEWEST} or more.")
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


def refusal(ours: SpeedFacts, theirs: SpeedFacts) -> str | None:
    """Why two rows must not be compared; None where they may.

    At the power limit the clock depends on the values that are multiplied, so random weights there say nothing of real ones.
    """
    if ours.weights == theirs.weights:
        return None
    if (ours.weights == "random" and ours.power_capped) or (theirs.weights == "random" and theirs.power_capped):
        return "random weights at the power limit are not compared with real ones: their values set the clock"
    return None


def compare(
    ours: Outcome,
    theirs: Outcome,
    pairing: Pairing,
    against: str,
    against_run_id: str,
    published: Sequence[str],
    seed: int,
) -> tuple[Comparison, ...]:
    """A comparison for every rule and metric. ValueError, in words for the user, for trials that give no ratio."""
    metrics = load_metrics()
    found: list[Comparison] = []
    for metric in COMPARED:
        ratio = speed_ratio(ours.values[metric], theirs.values[metric], metrics[metric].higher_is_better, seed)
        found += [
            Comparison(
                against=against,
                against_run_id=against_run_id,
                mode=mode,
                batch=pairing.point.batch or 1,
                against_batch=pairing.against.batch or 1,
                memory_budget=pairing.budget if mode == "equal memory" else None,
                metric=metric,
                ratio=ratio.value,
                lower=ratio.lower,
                upper=ratio.upper,
                p_value=ratio.p_value,
                n=ratio.n,
                against_n=ratio.against_n,
                seed=seed,
                resamples=RESAMPLES,
                valid=ours.facts.validity.valid and theirs.facts.validity.valid,
                notes=_notes(ours.facts, theirs.facts),
                published=tuple(published) if metric == "output_rate" else (),
            )
            for mode in pairing.modes
        ]
    return tuple(found)


def published_beside(model: Model | None, against: Model | None) -> tuple[str, ...]:
    """What sources print of the one model's speed over the other's, each with its circumstances."""
    if model is None or against is None:
        return ()
    told: list[str] = []
    for speed in model.speeds:
        if speed.against != against.id:
            continue
        batches = (
            f"batch {speed.batch} against {speed.against_batch}"
            if speed.batch and speed.against_batch
            else "batch not told"
        )
        source = load_registry().sources[speed.source].title
        where = f", {speed.where}" if speed.where else ""
        told.append(
            f"{speed.ratio:g}× {speed.metric} ({speed.engine}, {speed.gpu}, {speed.dtype}, {batches}; {source}{where})"
        )
    return tuple(told)


def _within_one_memory(point: Point, ours: Bench, theirs: Bench, memory: int | None) -> tuple[Point, Point, int] | None:
    """Our point, theirs, and the bytes; None where bytes are not known or one of the models does not fit."""
    if ours.dims is None or ours.dtype is None or theirs.dims is None or theirs.dtype is None:
        return None
    length = point.shape.input + point.shape.output
    budget = memory or memory_bytes(theirs.dims, point.batch or 1, length, theirs.dtype, theirs.dtype)
    batches = [min(LARGEST_BATCH, largest_batch(b.dims, budget, length, b.dtype, b.dtype))
               for b in (ours, theirs) if b.dims is not None and b.dtype is not None]  # fmt: skip
    own, other = batches[0], batches[1] if memory else point.batch or 1
    return (Point(point.shape, own), Point(point.shape, other), budget) if own and other else None


def _notes(ours: SpeedFacts, theirs: SpeedFacts) -> tuple[str, ...]:
    notes = [f"the {what} row is not valid: {'; '.join(facts.validity.reasons)}"
             for what, facts in (("first", ours), ("second", theirs)) if not facts.validity.valid]  # fmt: skip
    if "random" in (ours.weights, theirs.weights) and (ours.power_capped or theirs.power_capped):
        notes.append("random weights at the power limit: the ratio need not be that of real weights")
    elif "random" in (ours.weights, theirs.weights):
        notes.append("random weights")
    return tuple(notes)
