"""What is derived from a record and not kept in it: the errors and intervals of its scores."""

from __future__ import annotations

from typing import Any

from harness.records.record import MetricScore, Record
from harness.stats.derive import derive
from harness.stats.estimate import Estimate


def estimate(score: MetricScore) -> Estimate:
    """A score with its standard errors and its interval, by the present rule."""
    return derive(score.value, score.n, score.statistics, score.total, score.noise)


def described(record: Record) -> dict[str, Any]:
    """The record as plain JSON values, each score with its errors and interval beside its value."""
    document = record.model_dump(mode="json")
    for kept, score in zip(document["scores"], record.scores, strict=True):
        kept.update(vars(estimate(score)))
    return document
