"""The records of a speed run: one a point, with its raw rows beside it, on failure too."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.metrics.speed_metrics import trial_schema
from harness.records.files import new_run_id, write_record
from harness.records.record import Record, Setting, Status, Subject
from harness.records.speed_record import Comparison, SpeedFacts, Validity
from harness.speed.measure import Bench, Outcome
from harness.speed.probes.telemetry import SAMPLE_COLUMNS
from harness.speed.workloads.workload import Point, Workload
from zoo.errors import EnvironmentIssue


@dataclass
class SpeedRecorder:
    """Writes the records of one run. What was written before stays, whatever happens after."""

    results: Path
    workload: Workload
    subject: Subject
    setting: Setting
    run_id: str = field(default_factory=new_run_id)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def measured(self, outcome: Outcome, comparisons: tuple[Comparison, ...] = ()) -> Record:
        """Record a point that was measured, valid or not."""
        facts = outcome.facts.model_copy(update={"comparisons": comparisons})
        return self._write(facts, "ok", None, _tables(outcome))

    def failed(self, bench: Bench, point: Point, status: Status, reason: str) -> Record:
        """Record a point that has no figures."""
        facts = SpeedFacts(
            workload=self.workload.name,
            point=point.name,
            input_tokens=point.shape.input,
            output_tokens=point.shape.output,
            batch=point.batch,
            rate=point.rate,
            weights=bench.weights,
            validity=Validity(valid=False, reasons=(reason,)),
            load_s=bench.load_s,
        )
        return self._write(facts, status, reason, {})

    def _write(self, facts: SpeedFacts, status: Status, reason: str | None, tables: dict[str, Any]) -> Record:
        record = Record(
            run_id=self.run_id,
            task=f"{self.workload.name}.{facts.point}",
            status=status,
            reason=reason,
            suite=self.workload.name,
            resolved_suite=self.workload.model_dump(mode="json"),
            task_version="1",
            task_digest=self.workload.digest(),
            shots=None,
            limit=None,
            overflow="refuse",
            started_at=self.started,
            finished_at=datetime.now(UTC),
            subject=self.subject,
            setting=self.setting,
            counts=None,
            speed=facts,
        )
        try:
            write_record(self.results, record, tables=tables)
        except OSError as error:
            raise EnvironmentIssue(
                f"The result of {facts.point} could not be written to {self.results} ({error.strerror or error}).",
                "Points recorded before are kept: free some space and run again.",
            ) from error
        self.started = datetime.now(UTC)
        return record


def _tables(outcome: Outcome) -> dict[str, Any]:
    import pyarrow as pa

    types = {"DOUBLE": pa.float64(), "BIGINT": pa.int64()}
    watched = pa.schema([(name, types[kind]) for name, kind in SAMPLE_COLUMNS.items()])
    samples = [{name: sample.get(name) for name in SAMPLE_COLUMNS} for sample in outcome.samples]
    return {
        "trials": pa.Table.from_pylist(outcome.rows, schema=trial_schema()),
        "telemetry": pa.Table.from_pylist(samples, schema=watched),
    }
