"""The records of a speed run: one a point, with its raw rows beside it, on failure too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from harness.metrics.speed_metrics import trial_schema
from harness.records.columns import TELEMETRY_COLUMNS, arrow_schema
from harness.records.files import new_run_id, write_record
from harness.records.outcome import Failure, failure_of
from harness.records.record import Record, Setting, Subject
from harness.records.speed_record import Reason, SpeedComparison, SpeedFacts, Validity
from harness.speed.measure import PointOutcome
from harness.speed.system import SystemUnderTest
from harness.speed.workloads.workload import Point, Workload
from zoo.errors import BackendBroke, DeviceLost, EnvironmentIssue, NotWritable

T = TypeVar("T")
HINTS: dict[type[EnvironmentIssue], str] = {
    DeviceLost: "Points recorded before are kept. `minizoo doctor` and `dmesg` say more.",
    BackendBroke: "Points recorded before are kept. `minizoo --debug` shows the traceback.",
}


@dataclass(frozen=True)
class MeasuredPoint:
    """A point and its record. What is derived on read stands here too, computed by the same functions, to be shown."""

    record: Record
    outcome: PointOutcome | None = None
    """None where the point failed."""

    def document(self) -> dict[str, Any]:
        """The record as JSON, with what is derived on read merged in."""
        document = self.record.model_dump(mode="json")
        if self.outcome is not None:
            document["speed"]["statistics"] = [figure.model_dump(mode="json") for figure in self.outcome.statistics]
        return document


def recorded(measuring: Callable[[], T], record_failure: Callable[[Failure], T], what: str) -> T:
    """What `measuring` returns; where it raises, what `record_failure` makes of it.

    A failure that ends the run (`infra_failed`) is recorded and raised as its cause, DeviceLost or BackendBroke; `what`
    begins the message. A MinizooError is raised as it is, and nothing is recorded.
    """
    try:
        return measuring()
    except Exception as error:  # whatever an engine breaks with
        failure = failure_of(error)
        result = record_failure(failure)
        if failure.status == "failed":
            return result
        raise failure.cause(f"{what} broke off ({failure.message}).", HINTS[failure.cause]) from error


@dataclass
class SpeedRecorder:
    """Writes the records of one run. What was written before stays, whatever happens after."""

    results: Path
    workload: Workload
    subject: Subject
    setting: Setting
    run_id: str = field(default_factory=new_run_id)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def measured(self, outcome: PointOutcome, comparisons: tuple[SpeedComparison, ...] = ()) -> MeasuredPoint:
        """Record a point that was measured, valid or not."""
        facts = outcome.facts.model_copy(update={"comparisons": comparisons})
        return MeasuredPoint(self._write(facts, None, _tables(outcome)), outcome)

    def failed(self, system: SystemUnderTest, point: Point, failure: Failure) -> MeasuredPoint:
        """Record a point that has no figures."""
        reason = Reason(code=failure.code, text=failure.message)
        facts = SpeedFacts(
            workload=self.workload.name,
            point=point.name,
            input_tokens=point.shape.input,
            output_tokens=point.shape.output,
            batch=point.batch,
            rate=point.rate,
            weights=system.weights,
            validity=Validity(valid=False, reasons=(reason,)),
            load_s=system.load_s,
        )
        return MeasuredPoint(self._write(facts, failure, {}))

    def _write(self, facts: SpeedFacts, failure: Failure | None, tables: dict[str, Any]) -> Record:
        record = Record(
            run_id=self.run_id,
            task=f"{self.workload.name}.{facts.point}",
            status=failure.status if failure else "ok",
            reason=failure.message if failure else None,
            code=failure.code if failure else None,
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
            raise NotWritable(
                f"The result of {facts.point} could not be written to {self.results} ({error.strerror or error}).",
                "Points recorded before are kept: free some space and run again.",
            ) from error
        self.started = datetime.now(UTC)
        return record


def _tables(outcome: PointOutcome) -> dict[str, Any]:
    import pyarrow as pa

    samples = [{name: sample.get(name) for name in TELEMETRY_COLUMNS} for sample in outcome.samples]
    return {
        "trials": pa.Table.from_pylist(outcome.rows, schema=trial_schema()),
        "telemetry": pa.Table.from_pylist(samples, schema=arrow_schema(TELEMETRY_COLUMNS)),
    }
