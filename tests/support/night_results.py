"""What a finished night left in a results folder, in a form in which two nights of one plan can be held side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from harness.fleet.folders import NightFolder, nights_folder
from harness.records.files import read_record, run_folder
from harness.records.night import NightOutcome

ROUNDING = 1e-4
"""Of log-probabilities: a job that went on elsewhere computed other rows of the same sums (docs/devices.md)."""
Key = tuple[str, ...]


@dataclass(frozen=True)
class NightResults:
    """The newest night of a results folder."""

    outcome: NightOutcome
    values: dict[Key, float | None]
    """(job, task, metric, filter) → score, and with a document's hash and occurrence → its own value."""
    runs: tuple[str, ...]
    """Every run in the folder, of whatever job."""
    unfinished: tuple[str, ...]
    """What is there of runs that were begun and not finished."""

    @property
    def attempts(self) -> dict[str, list[str | None]]:
        """job → the code of each attempt, None for one that went well."""
        return {job.job: [attempt.code for attempt in job.attempts] for job in self.outcome.jobs}


def read_results(results: Path) -> NightResults:
    """Read the newest night, from its files alone."""
    folders = [NightFolder(path) for path in nights_folder(results).iterdir() if path.is_dir()]
    folder = max(folders, key=lambda one: one.path.name)
    outcome = NightOutcome.model_validate_json(folder.outcome.read_bytes())
    values: dict[Key, float | None] = {}
    for job in outcome.jobs:
        for run in job.runs:
            values |= {(job.job, *key): value for key, value in _values_of(run_folder(results, run.run_id))}
    parts = [*results.glob("partial/*"), *results.glob("runs/*/*/.*.part")]
    return NightResults(
        outcome,
        values,
        tuple(sorted(path.name for path in results.glob("runs/*/*"))),
        tuple(str(path.relative_to(results)) for path in sorted(parts)),
    )


def _values_of(run: Path) -> Iterator[tuple[Key, float | None]]:
    for path in sorted(run.glob("*/record.json")):
        record = read_record(path)
        if record.speed is not None:  # a speed is another each time
            continue
        for score in record.scores:
            yield (record.task, score.metric, score.filter), score.value
        for row in _rows(path.with_name("samples.parquet")):
            place = (record.task, row["metric"], row["filter"], row["doc_hash"], str(row["occurrence"]))
            yield place, row["value"]
            yield (*place, "gold"), row["gold_logprob"]


def _rows(samples: Path) -> list[dict[str, Any]]:
    columns = ["metric", "filter", "doc_hash", "occurrence", "value", "gold_logprob"]
    return pq.read_table(samples, columns=columns).to_pylist() if samples.exists() else []


def differences(night: NightResults, other: NightResults) -> list[str]:
    """What is not the same in two nights of one plan, a line each: jobs, their states, values, runs too many or few."""
    told = []
    for what, of in {
        "jobs": lambda one: {job.job: job.status for job in one.outcome.jobs},
        "exit code": lambda one: one.outcome.exit_code,
        "findings": lambda one: sorted((f.kind, f.about) for f in one.outcome.findings if f.kind != "told"),
        "runs": lambda one: len(one.runs),
        "scores and documents": lambda one: one.values.keys(),
    }.items():
        if (mine := of(night)) != (others := of(other)):
            told.append(f"{what}: {mine} and {others}")
    told += [
        f"{' '.join(key)}: {night.values[key]} and {other.values[key]}"
        for key in night.values.keys() & other.values.keys()
        if not _equal(night.values[key], other.values[key])
    ]
    for one in (night, other):
        told += [f"unfinished: {path}" for path in one.unfinished]
        own = sorted(run.run_id for job in one.outcome.jobs for run in job.runs)
        if list(one.runs) != own:
            told.append(f"runs on disk {one.runs}, runs of the night {own}")
    return told


def _equal(value: float | None, other: float | None) -> bool:
    if value is None or other is None:
        return value is other
    return math.isclose(value, other, rel_tol=ROUNDING, abs_tol=ROUNDING)
