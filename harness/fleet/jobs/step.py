"""One step of a job: a command of minizoo in a process of its own, and what its exit code and its JSON mean for the job."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal, cast

from harness.fleet.devices import kind_of
from harness.fleet.folders import JobFolder
from harness.fleet.processes import Process, end, kill, started, wait_for
from harness.records.night import Finding, Job, Step, StepRun
from harness.records.record import SCORED
from zoo.errors import EnvironmentIssue, JobHung, StepGarbled, StepKilled, WrongAccelerator

Meaning = Literal["done", "failed", "infra", "interrupted"]
OK, UNDECIDED, ENVIRONMENT, INTERRUPTED = 0, 3, 4, 130
SHORTEST_MINUTES, TIMES, UNKNOWN_MINUTES = 60.0, 10.0, 1440.0
"""A step may take ten times what its whole job is expected to, an hour at least; a day where nothing tells."""
GRACE_SECONDS = 20.0
"""For a step that is asked to stop: what it has computed by then is kept."""


@dataclass(frozen=True)
class StepEnd:
    """How a step ended."""

    meaning: Meaning
    exit_code: int | None
    runs: tuple[StepRun, ...] = ()
    told: tuple[Finding, ...] = ()
    code: str | None = None
    text: str | None = None


def run_step(job: Job, step: Step, folder: JobFolder, log: IO[bytes]) -> StepEnd:
    """Run it to its end. A KeyboardInterrupt first lets it keep what it has, and is raised on."""
    words = [step.python or sys.executable, "-m", "minizoo", *step.words, "--results", str(folder.results), "--json"]
    log.write(f"$ minizoo {' '.join(words[3:])}\n".encode())
    log.flush()
    with folder.answer.open("wb") as answer:
        process = started(words, answer, log)
        try:
            hung = not _ended(process, _seconds(job))
        except BaseException:
            end([process], signal.SIGINT, GRACE_SECONDS)
            raise
        kill(process)  # a step that ended may have left processes of its own
    if hung:
        minutes = _seconds(job) / 60
        error = JobHung(
            f"A step of {job.id} had not ended after {minutes:,.0f} minutes and was killed (minizoo {step.words[0]}).",
            f"Its log is {log.name}.",
        )
        return StepEnd("infra", process.returncode, code=error.code, text=str(error))
    return meaning_of(job, step, process.returncode, _document(folder), log.name)


def meaning_of(job: Job, step: Step, exit_code: int, document: Mapping[str, Any], log: str) -> StepEnd:
    """What a step's exit code and JSON mean for its job: 0 and 3 done, a machine's fault to be tried again, the model's not."""
    if exit_code in (INTERRUPTED, -signal.SIGTERM, -signal.SIGINT):
        return StepEnd("interrupted", exit_code, code="interrupted", text="It was stopped from outside.")
    if exit_code < 0:
        return _broken(
            exit_code, StepKilled(f"A step of {job.id} was killed by {_name(-exit_code)}.", f"Its log is {log}.")
        )
    records = _records(document)
    if exit_code in (OK, UNDECIDED):
        if not records:
            what = f"A step of {job.id} ended with exit code {exit_code} and left no records that can be read."
            return _broken(exit_code, StepGarbled(what, f"Its log is {log}."))
        if strange := _strange(job, records):
            return _broken(exit_code, WrongAccelerator(*strange))
        return StepEnd("done", exit_code, _runs(step, records), tuple(_told(job, document, records)))
    if records:  # some of its tasks or points failed: those that did not are kept
        lost = [record for record in records if record["status"] not in SCORED]
        infra = any(record["status"] == "infra_failed" for record in lost)
        text = "; ".join(f"{record['task']}: {record['reason'] or record['code']}" for record in lost[:3])
        code = next((record["code"] for record in lost if record["code"]), None)
        return StepEnd("infra" if infra else "failed", exit_code, _runs(step, records), code=code, text=text)
    text = f"{document.get('what', '')} {document.get('hint', '')}".strip()
    meaning: Meaning = "infra" if exit_code == ENVIRONMENT else "failed"
    return StepEnd(
        meaning, exit_code, code=document.get("code"), text=text or f"Exit code {exit_code}; its log is {log}."
    )


def _broken(exit_code: int, error: EnvironmentIssue) -> StepEnd:
    return StepEnd("infra", exit_code, code=error.code, text=str(error))


def _seconds(job: Job) -> float:
    return 60 * (UNKNOWN_MINUTES if job.minutes is None else max(SHORTEST_MINUTES, TIMES * job.minutes))


def _ended(process: Process, seconds: float) -> bool:
    return bool(wait_for([process], seconds))


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _document(folder: JobFolder) -> dict[str, Any]:
    try:
        found: Any = json.loads(folder.answer.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _records(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records that a command printed, those that have what is asked of them here."""
    found: Any = document.get("records")
    listed = cast("list[Any]", found) if isinstance(found, list) else []
    needed = {"run_id", "task", "status", "code", "reason", "setting"}
    return [cast("dict[str, Any]", one) for one in listed if isinstance(one, dict) and needed <= one.keys()]


def _runs(step: Step, records: Sequence[Mapping[str, Any]]) -> tuple[StepRun, ...]:
    """More than one where tasks were finished by an earlier attempt, of which the engine broke."""
    ids = dict.fromkeys(str(record["run_id"]) for record in records)
    return tuple(StepRun(role=step.role, block=step.block, run_id=one) for one in ids)


def _strange(job: Job, records: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """What an error says where a record is of another GPU than the job asks for."""
    gpus = {record["setting"].get("gpu") for record in records}
    wrong = [gpu for gpu in gpus if (kind_of(gpu) if gpu else None) != job.accelerator]
    if job.accelerator is None or not wrong:
        return None
    what = f"{job.id} is for {job.accelerator}, and its records are of {wrong[0] or 'no GPU'}."
    return what, "Its node says of itself what it is not; the job is tried elsewhere."


def _told(job: Job, document: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> Iterable[Finding]:
    """What the night's reader must know of a step that ended with undecided results."""
    if isinstance(ended := document.get("ended"), dict):
        text = cast("dict[str, Any]", ended).get("text")
        yield Finding(kind="told", about=job.id, text=f"It ended early: {text}.")
    for record in records:
        validity = ((record.get("speed") or {}).get("validity")) or {}
        if validity and not validity.get("valid"):
            why = "; ".join(reason.get("text", "") for reason in validity.get("reasons", []))
            yield Finding(kind="told", about=job.id, text=f"{record['task']} is invalid: {why}.")
        elif record["status"] == "unverified":
            yield Finding(kind="told", about=job.id, text=f"{record['task']} is unverified: {record['reason']}.")
