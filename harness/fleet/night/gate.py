"""A policy over the runs of one night: each model's run of tonight against its baseline, never an earlier run in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.compare.items import Side
from harness.compare.resolve import resolve_side
from harness.compare.sides.run_side import run_side
from harness.gates.gate import gate_pairs
from harness.gates.loading import PolicyFile
from harness.gates.noise.file import NoiseFile
from harness.gates.outcome import GateOutcome, Verdict
from harness.gates.pairs import pair_of
from harness.gates.plan import Pair
from harness.records.night import Finding, Job, JobOutcome
from harness.store.query import Reader


@dataclass(frozen=True)
class JobPair:
    """A job's run beside the baseline of its model."""

    job: Job
    pair: Pair


@dataclass(frozen=True)
class Judgement:
    """A policy's verdicts over the jobs of a night."""

    outcome: GateOutcome
    rows: Mapping[str, tuple[Verdict, ...]]
    """Job → its rows."""

    @property
    def alarmed(self) -> list[str]:
        """Jobs with a row that is regressed in a tier that decides."""
        return [job for job, rows in self.rows.items() if any(map(_is_alarm, rows))]


def job_pairs(
    jobs: Sequence[Job], outcomes: Mapping[str, JobOutcome], baselines: Path | None, results: Path
) -> list[JobPair]:
    """A pair for each evaluation that has a baseline. Raises what reading the baselines and the results does."""
    judged = [job for job in jobs if job.kind == "eval" and job.baseline is not None]
    if not judged or baselines is None:
        return []
    reader = Reader(results)
    found: list[JobPair] = []
    for job in judged:
        reference = resolve_side(f"baseline:{job.baseline}", results, baselines)
        candidate = _candidate(job, outcomes[job.id], results, reader)
        if isinstance(candidate, Side):
            pair = pair_of(reference, candidate, results)
        else:
            name = job.name or job.model
            pair = Pair(reference, Side(job.model, "run", name, {}, where="no run of tonight"), no_candidate=candidate)
        found.append(JobPair(job, pair))
    return found


def judge(
    pairs: Sequence[JobPair], load: Callable[[], PolicyFile], noise: NoiseFile | None, told: Sequence[str] = ()
) -> Judgement | None:
    """The verdicts over all pairs in one plan; None where there is no pair. Raises what the gate does."""
    if not pairs:
        return None
    outcome = gate_pairs(load(), [one.pair for one in pairs], noise)
    outcome = replace(outcome, notes=(*outcome.notes, *told))
    rows = {one.job.id: tuple(row for row in outcome.verdicts if row.pair == one.pair.names) for one in pairs}
    return Judgement(outcome, rows)


def confirmed(first: Judgement, again: Judgement) -> tuple[GateOutcome, list[Finding]]:
    """The first verdicts, in which an alarm stands only where the same row of the re-check alarms too; and what went away.

    `again` is over the same jobs; one that was not run again has the rows that it had.
    """
    owners = {id(row): job for job in first.alarmed for row in first.rows[job]}
    verdicts: list[Verdict] = []
    told: list[Finding] = []
    for verdict in first.outcome.verdicts:
        job = owners.get(id(verdict)) if _is_alarm(verdict) else None
        other = next((row for row in again.rows[job] if _about(row) == _about(verdict)), None) if job else None
        if job is None or other is None or _is_alarm(other):
            verdicts.append(verdict)
            continue
        gone = f"an alarm went away when the job ran again ({verdict.reason})"
        verdicts.append(replace(other, reason=f"{other.reason}; {gone}"))
        told.append(Finding(kind="told", about=job, text=f"{verdict.task} ({verdict.metric}): {gone}."))
    return replace(first.outcome, verdicts=tuple(verdicts)), told


def fallen(outcome: GateOutcome, judgement: Judgement) -> list[Finding]:
    """What regressed, a finding a row of the outcome that was made of the judgement."""
    owners = {(row.pair, _about(row)): job for job, rows in judgement.rows.items() for row in rows}
    return [
        Finding(
            kind="regressed",
            about=owners.get((row.pair, _about(row)), row.pair.model),
            text=f"{row.pair.model} {row.task} ({row.metric}) against {row.pair.against}: {row.reason}.",
        )
        for row in outcome.verdicts
        if _is_alarm(row)
    ]


def _is_alarm(verdict: Verdict) -> bool:
    return verdict.status == "REGRESSED" and verdict.tier != "advisory"


def _about(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.task, verdict.metric, verdict.filter


def _candidate(job: Job, outcome: JobOutcome, results: Path, reader: Reader) -> Side | str:
    """The side of a job's run; or why there is none. Several runs, where the engine broke in between, are one side."""
    runs = list(dict.fromkeys(run.run_id for run in outcome.runs if run.role == "candidate"))
    if not runs:
        return f"{job.id} has no run of tonight ({outcome.status}{f': {outcome.text}' if outcome.text else ''})"
    known = {row["run_id"] for row in reader.rows("SELECT DISTINCT run_id FROM records")}
    sides = [run_side(job.model, results, one, reader) for one in runs if one in known]
    if not sides:
        return f"{job.id} has no record of tonight that can be read"
    merged = sides[0]
    for side in sides[1:]:
        scores = {**merged.results, **side.results}
        failed = {**merged.failed, **side.failed}
        merged = replace(
            side,
            results=scores,
            failed={task: record for task, record in failed.items() if task not in {key.task for key in scores}},
            run_ids=(*merged.run_ids, *side.run_ids),
            notes=tuple(dict.fromkeys([*merged.notes, *side.notes])),
        )
    return merged
