"""Nights of jobs whose steps are stand-ins, on disk as a plan's would be."""

from datetime import UTC, datetime
from pathlib import Path

from harness.fleet.folders import NightFolder
from harness.fleet.night.files import write_night
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
