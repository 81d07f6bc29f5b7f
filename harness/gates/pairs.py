"""Which sides a gate compares: the two that are named, or every baseline with the newest run of its model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.baselines.file import Baseline, load_baselines
from harness.baselines.read import read_outcomes
from harness.compare.items import Side
from harness.compare.resolve import refuse_same, resolve_side
from harness.compare.sides.run_side import model_side, run_side
from harness.gates.plan import Pair
from harness.gates.speed import TrialsOf
from harness.metrics.speed_metrics import PointTrials, samples_of_points
from harness.records.files import folder_name, run_folder
from harness.records.record import Record
from harness.store.query import query
from zoo.errors import FileMissing

RUNS = """
SELECT run_id, suite, backend, coalesce(gpu, device) AS place, max(finished_at) AS finished
FROM records
WHERE lower(?) IN (lower(model), lower(subject), lower(given_name)) AND source = 'measured' AND run_id > ?
  AND (run_id, task) NOT IN (SELECT run_id, task FROM speed_points)
GROUP BY ALL ORDER BY finished, run_id"""
BAD = """
SELECT path, reason, (SELECT any_value(model) FROM records WHERE run_id = string_split(path, '/')[-3]) AS model
FROM bad_records ORDER BY path"""


def named_pair(
    reference: str, candidate: str, results: Path, baselines: Path | None, given: Callable[[], Any] | None = None
) -> Pair:
    """The two that the words mean (see `resolve_side`, also for what it raises); NotComparable where they are the same.

    `given`: what lm-eval itself knows of its files.
    """
    told: dict[str, Any] = {"given": given} if given else {}
    a, b = (resolve_side(word, results, baselines, **told) for word in (reference, candidate))
    refuse_same(a, b)
    return pair_of(a, b, results)


def baseline_pairs(baselines: Path, results: Path) -> list[Pair]:
    """Every baseline of the file with the newest run of its model since, on the same suite, backend and device.

    A model without one gets a side without results, so that all of its entries are missing. FileMissing where there is no file;
    what reading a bundle raises.
    """
    if not baselines.exists():
        raise FileMissing(
            f"There is no file of baselines {baselines}.",
            "Name REFERENCE and CANDIDATE, give --baselines FILE, or accept a run: `minizoo baseline accept RUN --reason …`.",
        )
    found: list[Pair] = []
    for name, baseline in load_baselines(baselines).items():
        side = resolve_side(f"baseline:{name}", results, baselines)
        found.append(_beside_newest(side, baseline, results))
    return found


def _beside_newest(side: Side, baseline: Baseline, results: Path) -> Pair:
    records = [result.record for result in side.results.values()] or list(side.speed)
    asked = (records[0].suite, records[0].setting.backend, records[0].setting.gpu or records[0].setting.device)
    runs = query(results, RUNS, [baseline.model, baseline.run]) if results.is_dir() else []
    same = [run["run_id"] for run in runs if (run["suite"], run["backend"], run["place"]) == asked]
    benched = model_side(baseline.model, results) if results.is_dir() else None
    speed = tuple(record for record in benched.speed if record.run_id > baseline.run) if benched else ()
    if same:
        return pair_of(side, replace(run_side(baseline.model, results, same[-1]), speed=speed), results)
    others = dict.fromkeys(_words(run["suite"], run["backend"], run["place"]) for run in runs)
    instead = f"; newer ones are of {', '.join(others)}" if others else ""
    why = f"{results} has no run of {baseline.model} newer than its baseline, of {_words(*asked)}{instead}"
    nothing = Side(baseline.model, "run", baseline.model, {}, speed=speed, where="no newer run")
    return replace(pair_of(side, nothing, results), no_candidate=why)


def _words(suite: str, backend: str, place: str) -> str:
    return f"suite {suite} by {backend} on {place}"


def pair_of(a: Side, b: Side, results: Path) -> Pair:
    """The two as a pair, with what of them cannot be read in the results."""
    bad = query(results, BAD) if results.is_dir() else []
    unreadable = {
        (letter, task): row["reason"]
        for letter, side in (("a", a), ("b", b))
        for row in bad
        if (task := _lost_task(side, row)) is not None
    }
    return Pair(a, b, unreadable)


def _lost_task(side: Side, row: Any) -> str | None:
    """The task of a side that an unreadable record is the newest of; None where it is none of the side's."""
    run_id, folder = row["path"].split("/")[-3:-1]
    if side.kind != "run" or not (run_id in side.run_ids or row["model"] == side.name):
        return None
    known = {key.task: result.record.run_id for key, result in side.results.items()}
    task = next((task for task in known if folder_name(task) == folder), folder)
    return task if run_id >= known.get(task, "") else None


def trials_in(results: Path, baselines: Path | None = None) -> TrialsOf:
    """Reads a record's trials from the results folder or a baseline's bundle, a value a trial in their order."""

    def trials_of(record: Record, metric: str) -> list[float]:
        path = run_folder(results, record.run_id) / folder_name(record.task) / "trials.parquet"
        rows = _rows(path) if path.is_file() else _accepted_rows(baselines, record)
        measured = [row for row in rows if row["phase"] == "trial"]
        slo = record.speed.slo if record.speed else {}
        numbers = sorted({row["trial"] for row in measured})
        points = [PointTrials("", str(one), slo, [row for row in measured if row["trial"] == one]) for one in numbers]
        found = samples_of_points(points) if points else {}
        values = [found["", point.task][metric] for point in points]
        return [sum(one) / len(one) for one in values] if all(values) else []

    return trials_of


def _rows(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pylist()


def _accepted_rows(baselines: Path | None, record: Record) -> list[dict[str, Any]]:
    """Of a baseline's bundle; none where the record is of none."""
    if baselines is None or not baselines.is_file():
        return []
    for baseline in load_baselines(baselines).values():
        for outcome in read_outcomes(baseline, baselines.parent) if baseline.run == record.run_id else []:
            if outcome.record.task == record.task and outcome.trials is not None:
                return outcome.trials.to_pylist()
    return []
