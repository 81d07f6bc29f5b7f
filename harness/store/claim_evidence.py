"""What a results folder says about published scores that a claim names: the verdicts of the view `reproduction`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.metrics.task_metadata import metadata_of
from harness.store.query import query
from harness.store.reproduction import beside, newest
from zoo.claims.analyses import Measured, Measurements
from zoo.registry.loader import PublishedScore, Registry, same_figure

Row = Mapping[str, Any]


def claim_evidence(results: Path, registry: Registry) -> Measurements:
    """(model, published score) → the newest measured score of each metric, filter and shots, compared with that figure.

    A score that several sources print alike is compared once, with the source that `minizoo show` prefers too, so
    both commands give one verdict on a record.
    """
    current = newest(query(results, "SELECT * FROM reproduction ORDER BY finished_at, run_id"))

    def measured(model: str, score: PublishedScore) -> Sequence[Measured]:
        same = [row for row in current if row["registry_id"] == model and _prints(registry, row, score)]
        return [_measured(row) for row in beside(same)]

    return measured


def _prints(registry: Registry, row: Row, score: PublishedScore) -> bool:
    """Whether the published score that the row was compared with is the same figure as `score`."""
    task = metadata_of(row["task"]).published or row["task"]
    return task == score.task and any(
        (other.task, other.source_id, other.value) == (task, row["origin"], row["printed"])
        and same_figure(other, score)
        for other in registry.models[row["registry_id"]].published_scores
    )


def _measured(row: Row) -> Measured:
    return Measured(
        metric=row["metric"],
        filter=row["filter"],
        value=row["measured"],
        lower=row["lower"],
        upper=row["upper"],
        n=int(row["n"] or 0),
        run_id=str(row["run_id"]),
        verdict=row["verdict"],
        reason=row["reason"],
        origin=row["origin"],
    )
