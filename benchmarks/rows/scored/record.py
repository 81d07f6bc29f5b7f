"""The record of a task that was scored beside lm-eval's HFLM, or of one whose engine broke."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.rows.scored.measure import REFERENCE, MeasuredTask, peak_bytes
from benchmarks.rows.scored.process import EngineFailed
from benchmarks.rows.scored.subject import ItsTokenizer, Scored
from benchmarks.rows.scored.tasks import TaskPart
from harness.records.beside_record import BesideFacts
from harness.records.files import new_run_id, write_record
from harness.records.record import Counts, Record, Setting
from zoo.errors import NotWritable

SUITE = "scoring"


@dataclass(frozen=True)
class Recorder:
    """Writes the records of one run, each as its task is done."""

    results: Path
    model: Scored
    tokenizer: ItsTokenizer
    setting: Setting
    """Of the run, before an engine has said more."""
    note: str | None = None
    """Of every record."""
    run_id: str = field(default_factory=new_run_id)

    def measured(self, part: TaskPart, task: MeasuredTask, began: Began) -> Record:
        """Record a task that was scored."""
        return self._write(
            part,
            began,
            task_digest=part.digest(task.chosen),
            limit=len(task.chosen),
            status="ok",
            setting=Setting.model_validate(task.ours["setting"]),
            counts=_counts(part, task),
            beside=self._facts(part, task),
        )

    def failed(self, part: TaskPart, failure: EngineFailed, began: Began) -> Record:
        """Record a task whose engine broke."""
        return self._write(
            part,
            began,
            task_digest="",
            limit=None,
            status=failure.status,
            code=failure.code,
            reason=failure.text,
            setting=self.setting,
            counts=None,
        )

    def _facts(self, part: TaskPart, task: MeasuredTask) -> BesideFacts:
        checked = task.conformance
        return BesideFacts(
            reference=REFERENCE,
            weights=self.model.weights,
            tokenizer=self.tokenizer.words,
            shots=part.shots,
            documents=len(task.chosen),
            of=part.of,
            requests=len(task.ours["answers"]),
            seconds=task.ours["seconds"],
            reference_seconds=task.reference["seconds"],
            peak_bytes=peak_bytes(task.ours),
            reference_peak_bytes=peak_bytes(task.reference),
            agreement=task.agreement,
            checked_documents=checked.documents,
            from_fp32=checked.ours,
            reference_from_fp32=checked.theirs,
            conforms=checked.conforms,
            note="; ".join(filter(None, [self.note, checked.note])) or None,
        )

    def _write(self, part: TaskPart, began: Began, **fields: Any) -> Record:
        record = Record(
            run_id=self.run_id,
            task=f"{SUITE}.{part.name}",
            suite=SUITE,
            resolved_suite=part.suite.model_dump(mode="json"),
            task_version=part.version,
            shots=part.shots,
            overflow="truncate",
            members=part.members,
            context=self.model.checkpoint.context.tokens,
            context_assumed=self.model.checkpoint.context.assumed,
            started_at=began.at,
            finished_at=datetime.now(UTC),
            wall_s=began.seconds(),
            subject=self.model.subject,
            **fields,
        )
        try:
            write_record(self.results, record)
        except OSError as error:
            raise NotWritable(
                f"The result of {part.name} could not be written to {self.results} ({error.strerror or error}).",
                "Tasks recorded before are kept: free some space and run again.",
            ) from error
        return record


@dataclass(frozen=True)
class Began:
    """When a task began, by the calendar and by a steady clock."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    steady: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Since then."""
        return time.monotonic() - self.steady


def line_of(record: Record) -> str:
    """A record in a line."""
    if record.beside is None:
        return f"{record.task}: {record.status}, {record.reason}"
    facts = record.beside
    told = [
        f"{facts.documents:,} of {facts.of:,} documents",
        f"minizoo {facts.seconds:.2f} s, {facts.reference} {facts.reference_seconds:.2f} s: "
        f"{facts.reference_seconds / facts.seconds:.1f}×",
        f"{facts.agreement.flips} flips",
        *_conforms(facts),
        *([facts.note] if facts.note else []),
    ]
    return f"{record.task}: {'; '.join(told)}"


def _conforms(facts: BesideFacts) -> Sequence[str]:
    if not (facts.from_fp32 and facts.reference_from_fp32):
        return ()
    return [
        f"from fp32 in {facts.checked_documents} documents {facts.from_fp32.flips} flips, the reference "
        f"{facts.reference_from_fp32.flips}"
    ]


def _counts(part: TaskPart, task: MeasuredTask) -> Counts:
    return Counts(
        documents=len(task.chosen),
        documents_total=part.of,
        requests=len(task.ours["answers"]),
        tokens=task.ours["asked_tokens"],
        truncated=task.ours["truncated"],
        reused=0,
    )
