"""What tasks of earlier runs took, read from the database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.records.measured_work import Identity, Measured, Place
from harness.store.query import query

MOST = 5000
"""Tasks that are looked at, the newest first."""
SQL = f"""
SELECT run_id, task, model, kind, subject, location, backend, device, gpu, processor, dtype, requests - reused AS requests,
       computed_tokens, scoring_s, new_tokens, generating_s, flops_per_token
FROM records WHERE computed_tokens IS NOT NULL AND source = 'measured' ORDER BY finished_at DESC, task LIMIT {MOST}
"""


def measured_work(results: Path) -> list[Measured]:
    """The tasks that say what they took, newest first; raises what `query` raises."""
    return [_measured(row) for row in query(results, SQL)]


def _measured(row: Mapping[str, Any]) -> Measured:
    return Measured(
        identity=Identity(row["kind"], row["subject"], row["location"] if row["kind"] == "folder" else None),
        place=Place(row["backend"], row["device"].split(":")[0], row["gpu"] or row["processor"], row["dtype"]),
        **{name: row[name] for name in Measured.__dataclass_fields__ if name not in ("identity", "place")},
    )
