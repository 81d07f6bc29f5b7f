"""How a step ended: from its exit code, what it told, and the records that it left, which hold even where it was killed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows.plan import SCORING, Step
from benchmarks.rows.process import Finished
from benchmarks.rows.state import Outcome
from benchmarks.rows.told import document_of, error_of
from harness.records.files import read_record, run_folder
from harness.records.record import Record
from harness.store.scan import scan
from zoo.errors import (
    BrokenInstallation,
    DeviceLost,
    DeviceMemory,
    DeviceMissing,
    DiskFull,
    LmEvalChanged,
    MinizooError,
    NotWritable,
    PackageMissing,
)

BUSY = {"machine-busy", "other-gpu-processes"}
STOPS = {
    kind.code
    for kind in (NotWritable, DiskFull, DeviceMissing, DeviceLost, BrokenInstallation, PackageMissing, LmEvalChanged)
}
"""Causes that every other step would meet too."""
ERROR = "minizoo.error/1"
MODES = {"equal batch", "equal memory"}


def new_runs(results: Path, step: Step, known: Collection[str]) -> tuple[str, ...]:
    """The runs below `results` that belong to nobody yet and are of this step; also those of a process that was killed."""
    found = [folder for folder in scan(results) if folder.run_id not in known]
    mine = [folder.run_id for folder in found if any(_is_of(step, read_record(path)) for path in folder.records)]
    return tuple(sorted(mine))


def records_of(results: Path, runs: Collection[str]) -> list[Record]:
    """The records of those runs, in the order in which they were begun."""
    folders = [run_folder(results, run) for run in sorted(runs)]
    return [read_record(path) for folder in folders for path in sorted(folder.glob("[!.]*/record.json"))]


def is_valid(record: Record) -> bool:
    """Whether it has figures that can be trusted."""
    return record.status == "ok" and (record.speed is None or record.speed.validity.valid)


def outcome_of(step: Step, finished: Finished | None, records: Sequence[Record]) -> tuple[Outcome, str]:
    """How the step ended, and its figure or what went wrong. `finished` is None where nobody saw the end."""
    if finished is None:
        return (_by_records(records), figure_of(step, records)) if _is_whole(step, records) else ("broken off", "")
    document = document_of(finished.out)
    if document.get("schema") == ERROR:
        return _by_error(document, finished)
    if finished.code not in (0, 3, 4) or not document:
        return "crashed", finished.last_line
    if early := _early(document):
        return early
    if not records and step.kind != "scoring":
        return "crashed", finished.last_line
    outcome = _by_records(records) if records else "done"
    skipped = [f"{one['task']} left out: {one['reason']}" for one in document.get("skipped") or ()]
    return outcome, "; ".join([figure_of(step, records), *skipped])


def stopping_error(finished: Finished) -> MinizooError | None:
    """The error that stops every other step too; None where the next one may do better."""
    error = error_of(document_of(finished.out))
    return error if error is not None and error.code in STOPS else None


def _by_error(document: Any, finished: Finished) -> tuple[Outcome, str]:
    code = document.get("code")
    if code == DeviceMemory.code:
        return "does not fit", str(document.get("what", ""))
    said = str(document.get("what") or finished.last_line)
    return ("stopped" if code in STOPS else "crashed"), said


def _early(document: Any) -> tuple[Outcome, str] | None:
    """The end before the end, as the process tells it."""
    ended = document.get("ended")
    if not ended:
        return None
    return ("busy" if ended["code"] in BUSY else "time up"), str(ended["text"])


def _by_records(records: Sequence[Record]) -> Outcome:
    codes = {reason.code for record in records if record.speed for reason in record.speed.validity.reasons}
    if codes & BUSY:
        return "busy"
    if "time-limit" in codes:
        return "time up"
    if any(record.status == "infra_failed" for record in records):
        return "crashed"
    measured = [record for record in records if record.status == "ok"]
    if not measured:
        return "does not fit" if all(record.code == DeviceMemory.code for record in records) else "crashed"
    return "done" if all(map(is_valid, measured)) else "invalid"


def _is_of(step: Step, record: Record) -> bool:
    if record.subject.id not in (step.model, step.against):
        return False
    if step.kind == "scoring":
        return record.suite == SCORING
    if record.speed is None or record.speed.workload != step.workload:
        return False
    return step.kind == "pair" or record.speed.batch == step.batch


def _is_whole(step: Step, records: Sequence[Record]) -> bool:
    """Whether the records are all that the step leaves: of a pair, both ways to be fair."""
    if step.kind == "pair":
        failed = any(record.status != "ok" for record in records)
        modes = {one.mode for record in records if record.speed for one in record.speed.comparisons}
        return modes >= MODES or (failed and bool(modes))
    return step.kind == "alone" and bool(records)


def figure_of(step: Step, records: Sequence[Record]) -> str:
    """What the step gave, in one line."""
    told = {"pair": _ratios, "alone": _rates, "scoring": _scores}[step.kind](records)
    invalid = {reason.code for r in records if r.speed and r.status == "ok" for reason in r.speed.validity.reasons}
    failed = {str(record.reason) for record in records if record.status != "ok"}
    words = [*told, *([f"INVALID: {', '.join(sorted(invalid))}"] if invalid else []), *sorted(failed)]
    return "; ".join(words)


def _ratios(records: Sequence[Record]) -> list[str]:
    by_run = {record.run_id: record for record in records}
    told: list[str] = []
    for record in records:
        for one in record.speed.comparisons if record.speed else ():
            if one.metric != "output_rate":
                continue
            ours, theirs = _rate(record), _rate(by_run.get(one.against_run_id))
            batches = f" (batch {one.batch} against {one.against_batch})" if one.batch != one.against_batch else ""
            told.append(f"{one.mode}{batches} {one.ratio:.2f}×, {ours} against {theirs} output tokens/s")
    return told


def _rates(records: Sequence[Record]) -> list[str]:
    told: list[str] = []
    for record in records:
        if record.speed is None or record.status != "ok":
            continue
        share = [a for a in record.speed.achieved if a.step == "decode" and a.against == "data sheet"]
        roofline = f", decode at {share[0].percent:.0f} % of the data sheet's roofline" if share else ""
        told.append(f"{_rate(record)} output tokens/s{roofline}")
    return told


def _scores(records: Sequence[Record]) -> list[str]:
    told: list[str] = []
    for record in records:
        if (beside := record.beside) is None or record.status != "ok":
            continue
        conforms = {True: ", conforms", False: ", DOES NOT CONFORM", None: ""}[beside.conforms]
        task = record.task.removeprefix("scoring.")
        told.append(f"{task} {beside.reference_seconds / beside.seconds:.1f}× {beside.reference}{conforms}")
    return told


def _rate(record: Record | None) -> str:
    stats = record.speed.statistics if record and record.speed else ()
    found = [s.value for s in stats if s.metric == "output_rate" and s.statistic in ("p50", "mean") and s.value]
    return f"{found[0]:.1f}" if found else "?"
