"""What a speed job measured: of each block of A-B-B-A one value of the candidate and one of the canary.

A value is the geometric mean over the side's two runs of each run's median trial. On the scale of logarithms the two A's and
the two B's of A-B-B-A lie around the same moment, so what drifts evenly through a block falls out of their ratio. A block that
lacks a run, or has an invalid one, is left out whole, for it would keep the drift.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.metrics.speed_metrics import PointTrials, samples_of_points
from harness.records.files import read_record, run_folder
from harness.records.night import CanaryBlocks, Job, JobOutcome, StepRun
from harness.records.record import Record
from zoo.errors import NewerResults, one_line

METRICS = ("output_rate", "goodput")
"""The throughputs that have series. total_rate and request_rate are output_rate in other units where every request has one
length, and would count each change three times; goodput is there where the workload has service-level objectives."""
SIDES = ("candidate", "canary")
RUNS_A_SIDE = 2
"""Of a block: A-B-B-A has two of each."""


@dataclass(frozen=True)
class PointRun:
    """One run's measurement of one point of the workload."""

    record: Record
    block: int
    side: str
    values: Mapping[str, float]
    """The median trial of each metric."""
    why_not: str | None
    """Why it cannot be used; None where it can."""


def blocks_of(job: Job, outcome: JobOutcome, results: Path) -> list[CanaryBlocks]:
    """One of each point and metric, from the runs that the outcome names, which lie in `results`.

    Empty for a job that has no canary, or left no record that can be read. Blocks that cannot be used are in `left_out`,
    with the reason. Values are in the metric's unit.
    """
    runs = [run for run in outcome.runs if run.role in SIDES]
    if job.kind != "bench" or not any(step.role == "canary" for step in job.steps):
        return []
    found, unread = _measured(runs, results)
    attempt = outcome.attempts[-1] if outcome.attempts else None
    uuid = attempt.gpu_uuid if attempt else None
    planned = sorted({step.block for step in job.steps if step.role in SIDES})
    made: list[CanaryBlocks] = []
    for task in sorted({one.record.task for one in found}):
        of_point = [one for one in found if one.record.task == task]
        metrics = [name for name in METRICS if any(name in one.values for one in of_point)] or METRICS[:1]
        for metric in metrics:
            blocks = _blocks(job, of_point, metric, planned, unread, uuid)
            made += [blocks] if blocks else []
    return made


def _blocks(
    job: Job, runs: Sequence[PointRun], metric: str, planned: Sequence[int], unread: Sequence[str], uuid: str | None
) -> CanaryBlocks | None:
    pairs: list[tuple[float, float]] = []
    left_out: list[str] = list(unread)
    pins = {_pin(one.record) for one in runs if one.side == "canary"}
    for block in planned:
        sides = [_side([one for one in runs if (one.block, one.side) == (block, side)], metric, side) for side in SIDES]
        why = "; ".join(side for side in sides if isinstance(side, str))
        why = why or _not_together([one.record for one in runs if one.block == block], pins)
        if why:
            left_out.append(f"block {block}: {why}")
        else:
            pairs.append((float(sides[0]), float(sides[1])))
    ours, canary = (next((o.record for o in runs if o.side == side), None) for side in SIDES)
    if ours is None or canary is None or ours.speed is None:
        return None
    return CanaryBlocks(
        job=job.id, recheck_of=job.recheck_of, model=job.label or job.model, workload=ours.speed.workload,
        point=ours.speed.point, metric=metric, backend=ours.setting.backend,
        device=ours.setting.gpu or ours.setting.processor or ours.setting.device, gpu_uuid=uuid, host=ours.setting.host,
        candidate=tuple(a for a, _ in pairs), canary=tuple(b for _, b in pairs), canary_model=canary.subject.id,
        canary_pin=_pin(canary), changed_by=_versions(ours), left_out=tuple(left_out),
    )  # fmt: skip


def _side(runs: Sequence[PointRun], metric: str, side: str) -> float | str:
    """The side's value of a block, or why it has none."""
    whys = [f"the {side}'s run {one.record.run_id[:8]}… {one.why_not}" for one in runs if one.why_not]
    if whys:
        return "; ".join(whys)
    values = [one.values[metric] for one in runs if one.values.get(metric, 0) > 0]
    if len(values) < RUNS_A_SIDE:
        return f"{len(values)} of the {side}'s {RUNS_A_SIDE} runs have {'an' if metric[0] in 'aeiou' else 'a'} {metric}"
    return math.exp(sum(map(math.log, values)) / len(values))


def _not_together(records: Sequence[Record], pins: set[str]) -> str | None:
    """Why runs of a block cannot stand beside each other: a job that was tried again may have gone to another machine."""
    places = {(r.setting.host, r.setting.gpu or r.setting.processor, r.setting.driver) for r in records}
    if len(places) > 1:
        return "its runs are of several machines: " + " and ".join(sorted(str(place[0]) for place in places))
    return "the canary was not the same in all of the job's blocks" if len(pins) > 1 else None


def _measured(runs: Sequence[StepRun], results: Path) -> tuple[list[PointRun], list[str]]:
    """Every point of those runs, and what could not be read."""
    records: list[tuple[StepRun, Record, Path]] = []
    unread: list[str] = []
    for run in runs:
        for path in sorted(run_folder(results, run.run_id).glob("[!.]*/record.json")):
            try:
                records.append((run, read_record(path), path.with_name("trials.parquet")))
            except (OSError, ValueError, NewerResults) as error:
                unread.append(f"block {run.block}: {run.run_id}/{path.parent.name} cannot be read: {one_line(error)}")
    return list(_points(records)), unread


def _points(records: Sequence[tuple[StepRun, Record, Path]]) -> Iterator[PointRun]:
    speeds = [(run, record, record.speed, trials) for run, record, trials in records if record.speed]
    whole = [PointTrials(r.run_id, r.task, speed.slo, path) for _, r, speed, path in speeds if _is_table(path)]
    samples = samples_of_points(whole) if whole else {}
    for run, record, speed, _ in speeds:
        own = samples.get((record.run_id, record.task), {})
        values = {name: median(own[name]) for name in METRICS if own.get(name)}
        why = None
        if record.status != "ok":
            why = f"failed ({record.code or 'unspecified'})"
        elif not speed.validity.valid:
            why = f"is invalid ({', '.join(reason.code for reason in speed.validity.reasons)})"
        elif not values:
            why = "has no trials that can be read"
        yield PointRun(record, run.block, run.role, values, why)


def _is_table(path: Path) -> bool:
    import pyarrow.parquet as pq

    try:
        pq.read_schema(path)
    except (OSError, ValueError):
        return False
    return True


def _pin(record: Record) -> str:
    """What must stay for a canary to be the same one: weights, engine, numbers and every version that it ran with.

    The driver is not in it, whose changes the canary is there to show, nor the commit, which every night may change.
    """
    setting = record.setting
    whole = {
        "model": record.subject.id, "weights": record.subject.weights_digest, "backend": setting.backend,
        "dtype": setting.dtype, "compute": setting.compute_dtype, "versions": setting.versions,
    }  # fmt: skip
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]


def _versions(record: Record) -> dict[str, str]:
    setting = record.setting
    more = {"driver": setting.driver, "commit": setting.git_sha, "weights": record.subject.weights_digest}
    return {**setting.versions, "platform": setting.platform} | {name: text for name, text in more.items() if text}
