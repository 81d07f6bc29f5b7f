"""What the results say of every model beside the board: runs, and scores held against published ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.store.reproduction import beside, newest

Row = Mapping[str, Any]

RUNS = """
SELECT run_id, model, suite, backend, device, gpu, processor, dtype, finished_at, tasks, failed, source,
       count(*) OVER (PARTITION BY model) AS runs
FROM runs QUALIFY row_number() OVER (PARTITION BY model ORDER BY finished_at DESC, run_id) <= 50
ORDER BY model, finished_at DESC, run_id
"""
"""The newest runs of each model, and in `runs` how many it has."""
BESIDE = """
SELECT * FROM reproduction
QUALIFY run_id = first_value(run_id) OVER (
  PARTITION BY registry_id, task, metric, filter, shots ORDER BY finished_at DESC, run_id DESC
)
ORDER BY finished_at, run_id, task, metric, filter, origin, protocol
"""
"""What `newest` would leave of the view, which holds every run."""


class Rows(Protocol):
    """What answers a query: `harness.store.query.Reader`."""

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of one query."""
        ...


@dataclass(frozen=True)
class Evidence:
    """By the shown name of a model: its runs, the newest first, and its newest scores beside the published ones."""

    runs: Mapping[str, Sequence[Row]] = field(default_factory=dict[str, Sequence[Row]])
    beside: Mapping[str, Sequence[Row]] = field(default_factory=dict[str, Sequence[Row]])


def evidence_in(reader: Rows) -> Evidence:
    """Two queries for all models together."""
    return Evidence(_by_model(reader.rows(RUNS)), _by_model(beside(newest(reader.rows(BESIDE)))))


def _by_model(rows: Sequence[Row]) -> dict[str, Sequence[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[str(row["model"])].append(row)
    return dict(found)
