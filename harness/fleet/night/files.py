"""Nights on disk: written when they begin, found again, read by their jobs and by later nights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.fleet.folders import NightFolder, nights_folder
from harness.records.night import Finding, Job, Night, NightOutcome
from zoo.errors import InvalidNight, UnknownJob
from zoo.files import write_atomically
from zoo.names import unknown

RECHECK = "-recheck"
"""Behind the id of a job: the one that repeats it in the same night."""


def write_night(results: Path, night: Night, plan: str) -> NightFolder:
    """Make the folder of a night that begins. Durable when it returns; until then there is no night."""
    folder = NightFolder(nights_folder(results) / night.id)
    folder.path.mkdir(parents=True, exist_ok=True)
    write_atomically(folder.plan, plan.encode())
    write_atomically(folder.night, night.model_dump_json(indent=1).encode())
    return folder


def read_night(folder: Path) -> Night:
    """The night of a folder; InvalidNight where there is none, or its file is cut short."""
    return _night(NightFolder(folder).night, "Name a folder of results/nights.")


def emitted(file: Path, results: Path | None) -> tuple[NightFolder, Night]:
    """The night that `minizoo nightly --emit` wrote to a file, and its folder in the results that the file names or that are
    given; InvalidNight for a file of another kind."""
    night = _night(file, "Give a file that `minizoo nightly --emit` wrote.")
    where = results or (Path(night.results) if night.results else None)
    if where is None:
        raise InvalidNight(f"{file} names no results folder.", "Give --results.")
    folder = NightFolder(nights_folder(where) / night.id)
    if not folder.night.is_file():
        write_night(where, night, "")
    return folder, night


def find_job(night: Night, word: str) -> Job:
    """A job by its id, its number from 1, or the id of a repetition; UnknownJob where there is none."""
    jobs = {job.id: job for job in night.jobs}
    if word in jobs:
        return jobs[word]
    if word.isdecimal() and 1 <= int(word) <= len(night.jobs):
        return night.jobs[int(word) - 1]
    if word.endswith(RECHECK) and (job := jobs.get(word.removesuffix(RECHECK))):
        return recheck(job)
    if word.isdecimal():
        raise UnknownJob(
            f"The night of plan {night.plan} has no job {word}.", f"Its jobs are numbered 1 to {len(jobs)}."
        )
    raise unknown(UnknownJob, "job", word, jobs, f"The night of plan {night.plan} has {len(jobs)}.")


def recheck(job: Job) -> Job:
    """The job that repeats it in the same night, before an alarm."""
    return job.model_copy(update={"id": f"{job.id}{RECHECK}", "recheck_of": job.id})


def nights(results: Path) -> Iterator[tuple[NightFolder, Night | None]]:
    """Every night of a results folder by its time of beginning; None: its file cannot be read."""
    found: list[tuple[NightFolder, Night | None]] = []
    root = nights_folder(results)
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.name.startswith(".") or not path.is_dir():
            continue
        folder = NightFolder(path)
        try:
            found.append((folder, _night(folder.night, "")))
        except InvalidNight:
            found.append((folder, None))
    yield from sorted(found, key=lambda one: one[1].started_at.timestamp() if one[1] else 0.0)


def earlier_outcomes(results: Path, own: str) -> tuple[list[NightOutcome], list[Finding]]:
    """The ends of all other nights by their time of beginning, and which of them cannot be read."""
    found: list[NightOutcome] = []
    told: list[Finding] = []
    for folder, _ in nights(results):
        if folder.path.name == own or not folder.outcome.exists():
            continue
        try:
            found.append(NightOutcome.model_validate_json(folder.outcome.read_bytes()))
        except (OSError, ValueError) as error:
            text = f"It cannot be read ({type(error).__name__}), so that night is in no series."
            told.append(Finding(kind="told", about=str(folder.outcome), text=text))
    return sorted(found, key=lambda one: one.started_at), told


def finished(folder: NightFolder) -> bool:
    """Whether the night has its outcome and all that tells of it."""
    return folder.outcome.exists() and not folder.untold.exists()


def _night(path: Path, hint: str) -> Night:
    try:
        return Night.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InvalidNight(f"{path} cannot be read ({error.strerror}).", hint) from None
    except ValueError as error:
        said = " ".join(str(error).split())[:200]
        raise InvalidNight(f"{path} is no whole file of a night ({said}).", hint) from None
