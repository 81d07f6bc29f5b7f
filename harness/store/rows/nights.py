"""The rows of a finished night: `nights`, `night_jobs`, `night_runs` and, a row a block, `night_canary`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.records.night import Job, JobOutcome, NightOutcome

NIGHT_TABLES: Mapping[str, Mapping[str, str]] = {
    "nights": {
        "night": "VARCHAR", "plan": "VARCHAR", "plan_digest": "VARCHAR", "started_at": "TIMESTAMPTZ",
        "ended_at": "TIMESTAMPTZ", "exit_code": "BIGINT", "findings": "VARCHAR",
    },
    "night_jobs": {
        "night": "VARCHAR", "job": "VARCHAR", "kind": "VARCHAR", "model": "VARCHAR", "label": "VARCHAR", "axis": "VARCHAR",
        "at": "BIGINT", "parent": "VARCHAR", "suite": "VARCHAR", "workload": "VARCHAR", "backend": "VARCHAR",
        "accelerator": "VARCHAR", "recheck_of": "VARCHAR", "status": "VARCHAR", "code": "VARCHAR", "text": "VARCHAR",
        "attempts": "BIGINT", "host": "VARCHAR", "gpu": "VARCHAR", "gpu_uuid": "VARCHAR",
    },
    "night_runs": {"night": "VARCHAR", "job": "VARCHAR", "role": "VARCHAR", "block": "BIGINT", "run_id": "VARCHAR"},
    "night_canary": {
        "night": "VARCHAR", "job": "VARCHAR", "recheck_of": "VARCHAR", "model": "VARCHAR", "workload": "VARCHAR",
        "point": "VARCHAR", "metric": "VARCHAR", "backend": "VARCHAR", "device": "VARCHAR", "gpu_uuid": "VARCHAR",
        "host": "VARCHAR", "canary_model": "VARCHAR", "canary_pin": "VARCHAR", "versions": "VARCHAR", "block": "BIGINT",
        "candidate": "DOUBLE", "canary": "DOUBLE",
    },
}  # fmt: skip
"""`findings` is JSON; `versions` of a block is what may have changed between two nights, as JSON. The jobs of a night whose
plan (night.json) cannot be read have their outcome alone."""


@dataclass
class NightRows:
    """Rows by table."""

    of: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {table: [] for table in NIGHT_TABLES})

    def add(self, outcome: NightOutcome, jobs: Sequence[Job]) -> None:
        """Those of one night, with its jobs as they were planned."""
        kept = outcome.model_dump(include=set(NIGHT_TABLES["nights"]))
        findings = json.dumps([finding.model_dump() for finding in outcome.findings])
        self.of["nights"].append({"night": outcome.id, **kept, "findings": findings})
        planned = {job.id: job for job in jobs}
        for one in outcome.jobs:
            self.of["night_jobs"].append(_job_row(outcome.id, one, planned.get(one.job)))
            runs = [{"night": outcome.id, "job": one.job, **run.model_dump()} for run in one.runs]
            self.of["night_runs"] += runs
        self.of["night_canary"] += _canary_rows(outcome)


def _job_row(night: str, outcome: JobOutcome, job: Job | None) -> dict[str, Any]:
    columns = NIGHT_TABLES["night_jobs"]
    planned = {name: value for name, value in job.model_dump().items() if name in columns} if job else {}
    last = outcome.attempts[-1] if outcome.attempts else None
    where = {"host": last.host, "gpu": last.accelerator, "gpu_uuid": last.gpu_uuid} if last else {}
    told = outcome.model_dump(include={"job", "status", "code", "text"})
    return {"night": night, **planned, **where, **told, "attempts": len(outcome.attempts)}


def _canary_rows(outcome: NightOutcome) -> list[dict[str, Any]]:
    columns = NIGHT_TABLES["night_canary"]
    return [
        {name: value for name, value in one.model_dump().items() if name in columns}
        | {"night": outcome.id, "versions": json.dumps(one.changed_by, sort_keys=True)}
        | {"block": block, "candidate": ours, "canary": theirs}
        for one in outcome.canary
        for block, (ours, theirs) in enumerate(zip(one.candidate, one.canary, strict=True))
    ]
