"""Nights of jobs whose steps are stand-ins, on disk as a plan's would be."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness.fleet.executor import Ended
from harness.fleet.folders import NightFolder
from harness.fleet.jobs.run import run_job
from harness.fleet.night.files import read_night, write_night
from harness.records.files import new_run_id
from harness.records.night import Job, Night, Step
from support.stand_in_step import interpreter


def job(folder: Path, name: str, *words: str, **changes) -> Job:
    """A job of one step that does what the words say; of several with `steps`, each (role, block, words)."""
    python = interpreter(folder)
    steps = changes.pop("steps", None) or [("candidate", 0, words)]
    made = tuple(Step(role=role, block=block, words=("eval", *does), python=python) for role, block, does in steps)
    return Job(**{"id": name, "kind": "eval", "model": "nano-teacher", "suite": "nano", "steps": made, **changes})


def night(folder: Path, *jobs: Job, **changes) -> tuple[NightFolder, Night]:
    """A night that begins now, in `folder/results`."""
    fields = {
        "id": new_run_id(),
        "plan": "test",
        "plan_digest": "d",
        "started_at": datetime.now(UTC),
        "minizoo": "0",
        "jobs": jobs,
        **changes,
    }
    made = Night(**fields)
    return write_night(folder / "results", made, ""), made


def times(place) -> int:
    """How many steps of a job were run."""
    path = place.results / "times"
    return len(path.read_text().splitlines()) if path.exists() else 0


class Inline:
    """An executor that runs each job in this process when it is waited for."""

    name = "this process"

    def __init__(self, lose: dict[str, int] | None = None) -> None:
        self.waiting: list[tuple[NightFolder, Job]] = []
        self.began: list[str] = []
        self.cancelled = False
        self._lose = dict(lose or {})
        """How often a job's process is lost before it does anything."""

    def start(self, night: NightFolder, jobs: Sequence[Job]) -> None:
        self.waiting += [(night, job) for job in jobs]

    def wait(self, seconds: float) -> Sequence[Ended]:
        if not self.waiting:
            return []
        folder, job = self.waiting.pop(0)
        self.began.append(job.id)
        if self._lose.get(job.id, 0) > 0:
            self._lose[job.id] -= 1
            return [Ended(job.id, "Its node went.")]
        run_job(folder, read_night(folder.path), job)
        return [Ended(job.id)]

    def drain(self) -> Sequence[str]:
        left = [job.id for _, job in self.waiting]
        self.waiting.clear()
        return left

    def cancel(self) -> None:
        self.cancelled = True
        self.waiting.clear()
