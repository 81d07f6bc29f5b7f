"""How long jobs took before: in earlier nights the same job, in earlier runs the same model on the same suite or workload."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from harness.fleet.folders import NightFolder, nights_folder
from harness.fleet.plan.evaluated import ran_on
from harness.fleet.plan.schema import CPU
from harness.records.night import Job, JobOutcome, Night, NightOutcome
from harness.store.query import Reader
from zoo.errors import MinizooError

NIGHTS = 30
"""The newest nights that are looked into."""
MOST = 5
"""Times of the same that a median is taken of, the newest first."""
SQL = """
SELECT run_id, any_value(subject) AS subject, any_value(given_name) AS given_name, any_value(d.suite) AS suite,
       any_value(d.backend) AS backend, any_value(d.gpu) AS gpu, any_value(d.device) AS device,
       any_value(d."limit") AS "limit", any_value(w.wall_s) AS wall_s
FROM records d JOIN runs w USING (run_id) WHERE d.source = 'measured' AND w.wall_s IS NOT NULL AND w.failed = 0
GROUP BY run_id ORDER BY max(d.finished_at) DESC LIMIT 5000"""


@dataclass(frozen=True)
class Took:
    """What the same took before."""

    minutes: float
    told: str


@dataclass(frozen=True)
class Earlier:
    """What a results folder tells of the past."""

    results: Path

    def of(self, job: Job) -> Took | None:
        """The median of the newest times of this very job, else of runs like its steps; None where there are none."""
        if (nights := self._nights.get(_apart(job), [])[:MOST]) != []:
            return Took(median(nights) / 60, f"{_counted(len(nights), 'earlier night')}")
        runs = [row["wall_s"] for row in self._runs if _alike(row, job)][:MOST]
        if not runs:
            return None
        processes = "" if len(job.steps) == 1 else f" times {len(job.steps)} processes"
        told = f"{_counted(len(runs), 'earlier run')}{processes}, without their start"
        return Took(median(runs) * len(job.steps) / 60, told)

    @cached_property
    def _nights(self) -> dict[str, list[float]]:
        """Seconds by what sets a job apart, the newest first."""
        found: dict[str, list[float]] = {}
        folders = sorted(nights_folder(self.results).glob("*/outcome.json"), reverse=True)
        for folder in (NightFolder(path.parent) for path in folders[:NIGHTS]):
            for job, outcome in _jobs(folder):
                if outcome.status == "done" and outcome.attempts:
                    found.setdefault(_apart(job), []).append(outcome.attempts[-1].seconds)
        return found

    @cached_property
    def _runs(self) -> Sequence[dict[str, Any]]:
        if not (self.results / "runs").is_dir():
            return []
        try:
            return Reader(self.results).rows(SQL)
        except MinizooError:  # without a database nothing tells, and nothing else is lost
            return []


def limit_of(job: Job) -> int | None:
    """Documents a task, as the job's command says."""
    words = job.steps[0].words
    return int(words[words.index("--limit") + 1]) if "--limit" in words else None


def _jobs(folder: NightFolder) -> Iterator[tuple[Job, JobOutcome]]:
    """The jobs of a night that ended; none of one that cannot be read."""
    try:
        jobs = {job.id: job for job in Night.model_validate_json(folder.night.read_bytes()).jobs}
        outcome = NightOutcome.model_validate_json(folder.outcome.read_bytes())
    except (OSError, ValueError):
        return
    yield from ((jobs[one.job], one) for one in outcome.jobs if one.job in jobs)


def _apart(job: Job) -> str:
    return repr((job.accelerator, job.split, [step.words for step in job.steps]))


def _alike(row: dict[str, Any], job: Job) -> bool:
    names = {job.name} if job.name else {job.model, Path(job.model).name}
    same = row["given_name"] in names if job.name else row["subject"] in names and row["given_name"] is None
    asked = (job.suite or job.workload, job.backend, limit_of(job))
    where = ran_on(row["gpu"], row["device"], job.accelerator or CPU)
    return same and (row["suite"], row["backend"], row["limit"]) == asked and where


def _counted(many: int, what: str) -> str:
    return f"{many} {what}{'' if many == 1 else 's'}"
