"""Finished nights as a test wants them: a folder each, with speeds beside a canary."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.fleet.folders import NightFolder, nights_folder
from harness.records.night import CanaryBlocks, Job, JobOutcome, Night, NightOutcome, Step

FIRST = datetime(2026, 11, 1, 22, tzinfo=UTC)


def blocks(candidate=(100.0, 100.0), canary=(50.0, 50.0), **changes) -> CanaryBlocks:
    fields = {
        "job": "bench-m", "model": "m", "workload": "batch1", "point": "128x128.b1", "metric": "output_rate", "backend": "hf",
        "device": "H100", "gpu_uuid": "GPU-1", "host": "h", "candidate": candidate, "canary": canary, "canary_model": "c",
        "canary_pin": "pin", "changed_by": {"torch": "2.13.0", "driver": "580.1", "transformers": "5.0", "minizoo": "0.1.0"},
    }  # fmt: skip
    return CanaryBlocks(**fields | changes)


def night(number: int, *canary: CanaryBlocks, jobs: tuple[JobOutcome, ...] = (), **changes) -> NightOutcome:
    began = FIRST + timedelta(days=number)
    fields = {
        "id": f"night-{number:04d}", "plan": "p", "plan_digest": "d", "started_at": began,
        "ended_at": began + timedelta(hours=1), "exit_code": 0, "jobs": jobs, "canary": canary,
    }  # fmt: skip
    return NightOutcome(**fields | changes)


def series(speeds, **changes) -> list[NightOutcome]:
    """A night a speed of the candidate, the canary at 50."""
    return [night(number, blocks((speed, speed), **changes)) for number, speed in enumerate(speeds)]


def job(name="bench-m", **changes) -> Job:
    roles = ("candidate", "canary", "canary", "candidate")
    fields = {
        "id": name, "kind": "bench", "model": "m", "workload": "batch1", "backend": "hf",
        "steps": tuple(Step(role=role, block=block, words=("bench",)) for block in (0, 1) for role in roles),
    }  # fmt: skip
    return Job(**fields | changes)


def written(results: Path, outcome: NightOutcome, *jobs: Job) -> NightFolder:
    """The night in its folder, as it lies there when it has ended."""
    folder = NightFolder(nights_folder(results) / outcome.id)
    folder.path.mkdir(parents=True)
    planned = Night(
        id=outcome.id, plan=outcome.plan, plan_digest="d", started_at=outcome.started_at, minizoo="0", jobs=jobs
    )
    folder.night.write_text(planned.model_dump_json(), "utf-8")
    folder.outcome.write_text(outcome.model_dump_json(), "utf-8")
    return folder
