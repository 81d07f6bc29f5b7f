"""A record's rows in the tables `records` and `metrics`; errors and intervals are derived here, by the rule that is noted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.records.derived import estimate
from harness.records.record import Record
from harness.stats.derive import rule_of
from harness.store.rows.earlier import with_statistics
from harness.store.rows.names import identity_of


def record_row(record: Record) -> dict[str, Any]:
    """The row of `records`. The shown name is the id until names are given (`take_in`)."""
    identity = identity_of(record)
    return {
        **record.setting.model_dump(exclude={"versions"}),
        **record.model_dump(
            include={"run_id", "task", "status", "reason", "code", "suite", "shots", "limit", "isolation"}
        ),
        "model": record.subject.id,
        "parent": record.subject.parent,
        "weights_digest": record.subject.weights_digest,
        "source": record.source,
        "conformance": record.standing,
        "contributed_by": record.contribution.by if record.contribution else None,
        "truncated": record.counts.truncated if record.counts else None,
        "requests": record.counts.requests if record.counts else None,
        "reused": record.counts.reused if record.counts else None,
        **(record.work.model_dump() if record.work else {}),
        "started_at": record.started_at,
        "run_started_at": record.run_started_at,
        "wall_s": record.seconds,
        "finished_at": record.finished_at,
        "versions": json.dumps(record.setting.versions, sort_keys=True),
        "kind": identity.kind,
        "subject": identity.id,
        "given_name": identity.name,
        "location": identity.source,
        "known_digest": identity.digest,
        "record": record.model_dump_json(),
    }


def metric_rows(record: Record, folder: Path) -> list[dict[str, Any]]:
    """A row a score. Scores of an earlier schema are derived from the samples in `folder` where those tell enough."""
    rows: list[dict[str, Any]] = []
    for score in with_statistics(record, folder / "samples.parquet"):
        row = score.model_dump(exclude={"draws", "statistics", "noise"}) | vars(estimate(score))
        row |= {"run_id": record.run_id, "task": record.task, "raw_value": score.value}
        row |= {"fewshot_draws": len(score.draws) or None, "fewshot_sd": score.draws_sd}
        rows.append({**row, "rule": rule_of(score.statistics)})
    return rows
