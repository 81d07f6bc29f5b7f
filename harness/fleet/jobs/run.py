"""A job from its lock to its outcome: attempts, what may be tried again, what goes on where another process left off."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime

from filelock import FileLock, Timeout

from harness.fleet.devices import Device, kind_of, visible_devices
from harness.fleet.folders import JobFolder, NightFolder
from harness.fleet.jobs.progress import (
    Began,
    DoneStep,
    Progress,
    read_outcome,
    read_progress,
    write_outcome,
    write_progress,
)
from harness.fleet.jobs.step import StepEnd, run_step
from harness.records.night import Attempt, Job, JobOutcome, JobStatus, Night
from zoo.errors import JobLost, JobRunning, WrongAccelerator

LOCK_SECONDS = 20.0
"""A process that is being ended lets go within this time."""
OUTSIDE = frozenset({JobLost.code, "interrupted"})
"""Codes of attempts that were ended from outside: they use up none of the retries."""


def run_job(folder: NightFolder, night: Night, job: Job, wait: float = LOCK_SECONDS) -> JobOutcome:
    """Run a job of the night, or go on with it; its outcome is on disk when this returns.

    An outcome that is there is returned as it is, but for one that the surroundings failed: whoever asks again gets one attempt
    more. A KeyboardInterrupt is written as `interrupted`, for another process to go on
    with, and raised on. JobRunning where another process holds it, OSError as the system does.
    """
    place = folder.job(job.id)
    place.path.mkdir(parents=True, exist_ok=True)
    with _held(place, job, wait):
        if (known := read_outcome(place)) is not None and known.status != "infra_failed":
            return known
        _share_conformance(folder, place)
        progress = _closed(job, place, read_progress(place))
        return _attempts(job, place, progress, night.retries)


def failures(attempts: Sequence[Attempt]) -> int:
    """How many of them ended in a fault of the surroundings."""
    return sum(one.code not in OUTSIDE for one in attempts)


def _attempts(job: Job, place: JobFolder, progress: Progress, retries: int) -> JobOutcome:
    while True:
        progress, ended = _attempt(job, place, progress)
        again = ended.meaning == "infra" and failures(progress.attempts) <= retries
        if again and ended.code != WrongAccelerator.code:  # that one is tried elsewhere, by who runs the night
            continue
        outcome = _outcome(job, progress, ended)
        write_outcome(place, outcome)
        return outcome


def _attempt(job: Job, place: JobFolder, progress: Progress) -> tuple[Progress, StepEnd]:
    """One attempt: the steps that are not done yet. Steps of a block that was broken off begin anew, for a block is one stretch
    of time."""
    number = 1 + max((one.number for one in progress.attempts), default=0)
    began = Began(number=number, started_at=datetime.now(UTC), host=platform.node(), pid=os.getpid())
    progress = progress.model_copy(update={"began": began, "steps": _whole_blocks(job, progress.steps)})
    write_progress(place, progress)
    clock = time.monotonic()
    device = next(iter(visible_devices()), None) if job.accelerator else None
    ended = _refused(job, device)
    try:
        with place.log(number).open("ab") as log:
            done = {one.index for one in progress.steps}
            for index, step in enumerate(job.steps):
                if index in done or (ended is not None and ended.meaning != "done"):
                    continue
                ended = run_step(job, step, place, log)
                if ended.runs and ended.meaning != "infra":
                    kept = DoneStep(index=index, runs=ended.runs, told=ended.told)
                    progress = progress.model_copy(update={"steps": (*progress.steps, kept)})
                if ended.meaning == "done":
                    write_progress(place, progress)
    except KeyboardInterrupt:
        stopped = StepEnd("interrupted", None, code="interrupted", text="It was stopped from outside.")
        progress = _with_attempt(progress, began, clock, device, stopped)
        with contextlib.suppress(OSError):
            write_progress(place, progress)
            write_outcome(place, _outcome(job, progress, stopped))
        raise
    ended = ended or StepEnd("done", 0)
    progress = _with_attempt(progress, began, clock, device, ended)
    write_progress(place, progress)
    return progress, ended


def _with_attempt(progress: Progress, began: Began, clock: float, device: Device | None, ended: StepEnd) -> Progress:
    attempt = Attempt(
        number=began.number,
        started_at=began.started_at,
        ended_at=datetime.now(UTC),
        seconds=time.monotonic() - clock,
        host=began.host,
        accelerator=device.name if device else None,
        gpu_uuid=device.uuid if device else None,
        exit_code=ended.exit_code,
        code=ended.code,
        text=ended.text,
    )
    return progress.model_copy(update={"attempts": (*progress.attempts, attempt), "began": None})


def _outcome(job: Job, progress: Progress, ended: StepEnd) -> JobOutcome:
    states: dict[str, JobStatus] = {"infra": "infra_failed", "done": "done", "failed": "failed"}
    steps = sorted(progress.steps, key=lambda one: one.index)
    return JobOutcome(
        job=job.id,
        status=states.get(ended.meaning, "interrupted"),
        attempts=progress.attempts,
        runs=tuple(run for step in steps for run in step.runs),
        code=ended.code,
        text=ended.text,
        told=tuple(told for step in steps for told in step.told),
    )


def _whole_blocks(job: Job, steps: Sequence[DoneStep]) -> tuple[DoneStep, ...]:
    """The steps of those blocks of which every step is done."""
    done = {one.index for one in steps}
    open_ = {step.block for index, step in enumerate(job.steps) if index not in done}
    return tuple(one for one in steps if job.steps[one.index].block not in open_)


def _closed(job: Job, place: JobFolder, progress: Progress) -> Progress:
    """An attempt whose process was lost gets its end, as far as it is known: the last time that it wrote a file."""
    began = progress.began
    if began is None:
        return progress
    last = max([began.started_at, *_written(place)])
    error = JobLost(
        f"The process of {job.id} (pid {began.pid} on {began.host}) ended without an outcome.",
        "It was killed, or its machine was lost; what it had finished is kept.",
    )
    lost = Attempt(
        number=began.number,
        started_at=began.started_at,
        ended_at=last,
        seconds=(last - began.started_at).total_seconds(),
        host=began.host,
        code=error.code,
        text=str(error),
    )
    return progress.model_copy(update={"attempts": (*progress.attempts, lost), "began": None})


def _written(place: JobFolder) -> Iterator[datetime]:
    """When each file of the job was written: log, answers of unfinished tasks, records."""
    for path in place.path.rglob("*"):
        with contextlib.suppress(OSError):  # taken away meanwhile
            if path.is_file() and path != place.lock:
                yield datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _refused(job: Job, device: Device | None) -> StepEnd | None:
    """Where the GPU here is not the one that the job asks for. One that is divided over nodes computes on theirs."""
    if job.accelerator is None or job.split > 1 or (device is not None and device.kind == job.accelerator):
        return None
    here = f"{device.name} ({kind_of(device.name) or 'not in gpus.yaml'})" if device else "no GPU"
    error = WrongAccelerator(
        f"{job.id} is for {job.accelerator}, and {platform.node()} has {here}.", "It is tried elsewhere."
    )
    return StepEnd("infra", None, code=error.code, text=str(error))


@contextlib.contextmanager
def _held(place: JobFolder, job: Job, wait: float) -> Generator[None]:
    lock = FileLock(place.lock)
    try:
        lock.acquire(timeout=wait, poll_interval=0.2)
    except Timeout:
        began = read_progress(place).began
        who = f"pid {began.pid} on {began.host}, since {began.started_at:%Y-%m-%d %H:%M} UTC" if began else "a process"
        raise JobRunning(f"{job.id} is run by another process ({who}).", "Wait for its outcome.") from None
    try:
        yield
    finally:
        lock.release()


def is_held(place: JobFolder) -> bool:
    """Whether a process runs the job now."""
    if not place.path.is_dir():
        return False
    lock = FileLock(place.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _share_conformance(folder: NightFolder, place: JobFolder) -> None:
    """What the shared results know of backends, so that a job does not ask again."""
    known = folder.results / "conformance"
    if known.is_dir() and not (place.results / "conformance").exists():
        with contextlib.suppress(OSError):  # then it asks for itself
            shutil.copytree(known, place.results / "conformance")
