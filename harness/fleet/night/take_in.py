"""Finished runs from a job's own results into the shared ones: each by one rename, as often as need be, none twice."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from harness.fleet.devices import kind_of
from harness.fleet.folders import JobFolder
from harness.records.files import read_record, run_folder
from harness.records.night import Finding, Job, JobOutcome
from harness.records.record import Record
from zoo.errors import MinizooError, RecordCorrupt, WrongAccelerator, one_line
from zoo.files import fsync_path


def take_in(results: Path, place: JobFolder, job: Job, outcome: JobOutcome) -> tuple[Finding, ...]:
    """Move the runs that the outcome names into `results`, and tell of records that cannot be read: those are moved too.

    Safe to repeat after a kill at any moment. WrongAccelerator, with nothing moved, where a record is of another GPU than the
    job asks for; OSError as the system does.
    """
    told: list[Finding] = []
    for run_id in dict.fromkeys(run.run_id for run in outcome.runs):
        source, target = run_folder(place.results, run_id), run_folder(results, run_id)
        here = target if target.is_dir() else source
        records, corrupt = _read(here)
        told += [_told(job, target / path.relative_to(here), error) for path, error in corrupt]
        if not here.is_dir():
            told.append(Finding(kind="infra", about=job.id, text=f"Its run {run_id} is not in {place.results}."))
        if here is source and source.is_dir():
            _check_gpu(job, records)
            _move(source, target)
    _share_conformance(results, place)
    return tuple(told)


def _read(folder: Path) -> tuple[list[Record], list[tuple[Path, str]]]:
    """The records of a run, and those that cannot be read, with why."""
    good: list[Record] = []
    bad: list[tuple[Path, str]] = []
    for path in sorted(folder.glob("[!.]*/record.json")):
        try:
            good.append(read_record(path))
        except (OSError, ValueError, RecursionError, MinizooError) as error:
            bad.append((path, one_line(error)))
    return good, bad


def _told(job: Job, path: Path, why: str) -> Finding:
    error = RecordCorrupt(
        f"{path} cannot be read ({why[:160]}): it is in no result.", "The other records of its run are taken in."
    )
    return Finding(kind="infra", about=job.id, text=str(error))


def _check_gpu(job: Job, records: Iterable[Record]) -> None:
    for record in records:
        gpu = record.setting.gpu
        if job.accelerator is not None and (kind_of(gpu) if gpu else None) != job.accelerator:
            raise WrongAccelerator(
                f"{job.id} is for {job.accelerator}, and its record of {record.task} is of {gpu or 'no GPU'}, "
                f"measured on {record.setting.host}.",
                "Its runs are not taken in; the job is tried elsewhere.",
            )


def _move(source: Path, target: Path) -> None:
    """Rename; on another file system copy to a name that no reader looks at, then rename, then remove."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        for left in target.parent.glob(f".{target.name}.*.part"):
            shutil.rmtree(left, ignore_errors=True)
        shutil.copytree(source, part)
        for path in part.rglob("*"):
            fsync_path(path)
        part.rename(target)
        shutil.rmtree(source, ignore_errors=True)
    fsync_path(target.parent)


def _share_conformance(results: Path, place: JobFolder) -> None:
    """What the job has learned of backends, where the shared results do not know it."""
    for path in (place.results / "conformance").glob("*.json"):
        target = results / "conformance" / path.name
        if not target.exists():
            with contextlib.suppress(OSError):  # asked again another time
                target.parent.mkdir(exist_ok=True)
                part = target.with_name(f".{path.name}.{os.getpid()}.part")
                shutil.copyfile(path, part)
                part.replace(target)
