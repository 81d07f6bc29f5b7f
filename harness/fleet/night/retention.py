"""What stays on disk of old nights: records always; what each document was answered, of the newest nights and of alarms."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.baselines.file import load_baselines
from harness.fleet.folders import NightFolder
from harness.records.files import run_folder
from harness.records.night import Finding, JobOutcome, NightOutcome
from zoo.errors import MinizooError

ALARMED = 1
SAMPLES = "samples.parquet"


def forget_samples(
    results: Path, plan: str, nights: int | None, earlier: Sequence[NightOutcome], baselines: Path | None
) -> list[Finding]:
    """Delete the samples of the plan's nights before the newest `nights`, tonight counted, and tell of it.

    Runs of nights that alarmed, and those that a baseline is, stay whole; where baselines cannot be read nothing is deleted.
    """
    if nights is None:
        return []
    mine = sorted((night for night in earlier if night.plan == plan), key=lambda night: night.started_at)
    kept = len(mine) - (nights - 1)
    old = [night for night in mine[: max(0, kept)] if night.exit_code != ALARMED]
    try:
        accepted = {one.run for one in load_baselines(baselines).values()} if baselines else set[str]()
    except MinizooError as error:
        return [
            Finding(
                kind="told",
                about=plan,
                text=f"No samples were deleted, for it is not known what is a baseline: {error}",
            )
        ]
    spared = accepted | {run for night in mine if night not in old for run in _runs(night)}
    runs = sorted({run for night in old for run in _runs(night)} - spared)
    files, freed = _delete(path for run in runs for path in run_folder(results, run).glob(f"*/{SAMPLES}"))
    if not files:
        return []
    text = (
        f"Samples of {len(old):,} older nights were deleted: {files:,} files, {freed / 1e6:.1f} MB. Their records stay."
    )
    return [Finding(kind="told", about=plan, text=text)]


def clear_jobs(folder: NightFolder, outcomes: Iterable[JobOutcome]) -> None:
    """Remove the own results folders of jobs that are done: what was theirs is taken in, the rest is of broken-off attempts."""
    for outcome in outcomes:
        if outcome.status == "done":
            shutil.rmtree(folder.job(outcome.job).results, ignore_errors=True)


def _runs(night: NightOutcome) -> set[str]:
    return {run.run_id for job in night.jobs for run in job.runs}


def _delete(paths: Iterable[Path]) -> tuple[int, int]:
    files, size = 0, 0
    for path in paths:
        with contextlib.suppress(OSError):
            bytes_ = path.stat().st_size
            path.unlink()
            files, size = files + 1, size + bytes_
    return files, size
