"""How many times as fast one model is as another, from trials taken in turn; whether that may be said at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.metrics.speed_metrics import load_metrics
from harness.records.speed_record import SpeedComparison, SpeedFacts
from harness.speed.compare.pairing import Pairing
from harness.speed.measure import PointOutcome
from harness.stats.ratio import RESAMPLES, Ratio, speed_ratio
from zoo.registry.loader import Model, load_registry

COMPARED = ("output_rate", "ttft", "tpot", "e2e")
"""Metrics that have one sample a trial in a closed loop: trials are independent, the steps of one are not."""


@dataclass(frozen=True)
class ComparedMetric:
    """What the record keeps of a comparison, and the ratio with its interval and test, which are derived on read."""

    recorded: SpeedComparison
    ratio: Ratio

    def document(self) -> dict[str, Any]:
        """Both as JSON."""
        derived = {"lower": self.ratio.lower, "upper": self.ratio.upper, "p_value": self.ratio.p_value}
        return {**self.recorded.model_dump(mode="json"), **derived, "resamples": RESAMPLES}


def refusal(ours: SpeedFacts, theirs: SpeedFacts) -> str | None:
    """Why two points must not be compared; None where they may.

    At the power limit the clock depends on the values that are multiplied, so random weights there say nothing of real ones.
    """
    if ours.weights == theirs.weights:
        return None
    if any(facts.weights == "random" and facts.power_capped for facts in (ours, theirs)):
        return "random weights at the power limit are not compared with real ones: their values set the clock"
    return None


def comparisons_of(
    ours: PointOutcome, theirs: PointOutcome, pairing: Pairing, against: tuple[str, str], published: Sequence[str],
    seed: int,
) -> tuple[ComparedMetric, ...]:  # fmt: skip
    """A comparison for every rule and metric; `against` is the other model and its run.

    Raises ValueError, in words for the user, for trials that give no ratio.
    """
    metrics = load_metrics()
    found: list[ComparedMetric] = []
    for metric in COMPARED:
        ratio = speed_ratio(ours.values[metric], theirs.values[metric], metrics[metric].higher_is_better, seed)
        for mode in pairing.modes:
            recorded = SpeedComparison(
                against=against[0],
                against_run_id=against[1],
                mode=mode,
                batch=pairing.point.batch or 1,
                against_batch=pairing.against.batch or 1,
                memory_budget=pairing.budget if mode == "equal memory" else None,
                metric=metric,
                ratio=ratio.value,
                n=ratio.n,
                against_n=ratio.against_n,
                seed=seed,
                valid=ours.facts.validity.valid and theirs.facts.validity.valid,
                notes=_notes(ours.facts, theirs.facts),
                published=tuple(published) if metric == "output_rate" else (),
            )
            found.append(ComparedMetric(recorded, ratio))
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


def _notes(ours: SpeedFacts, theirs: SpeedFacts) -> tuple[str, ...]:
    notes = [f"the {what} model's point is not valid: {'; '.join(reason.text for reason in facts.validity.reasons)}"
             for what, facts in (("first", ours), ("second", theirs)) if not facts.validity.valid]  # fmt: skip
    if "random" in (ours.weights, theirs.weights) and (ours.power_capped or theirs.power_capped):
        notes.append("random weights at the power limit: the ratio need not be that of real weights")
    elif "random" in (ours.weights, theirs.weights):
        notes.append("random weights")
    return tuple(notes)
