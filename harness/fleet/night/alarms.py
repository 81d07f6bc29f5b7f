"""What a night's results say: the gate's verdicts and the canary's, each alarm only where the same job alarms a second time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.fleet.canary.blocks import blocks_of
from harness.fleet.canary.verdicts import judge_canary
from harness.fleet.night.files import recheck
from harness.fleet.night.gate import Judgement, confirmed, fallen, job_pairs, judge
from harness.fleet.plan.loading import PlanFile
from harness.gates.loading import PolicyFile, load_policy
from harness.gates.noise.file import load_noise
from harness.gates.outcome import GateOutcome
from harness.records.night import CanaryBlocks, Finding, Job, JobOutcome, NightOutcome

ALARMS = ("regressed", "platform")
RunAgain = Callable[[Sequence[Job]], Mapping[str, JobOutcome]]
"""Runs jobs and gives what became of them; of those that a limit kept from running nothing that is done."""


@dataclass
class Judged:
    """The verdicts of a night."""

    gate: GateOutcome | None = None
    """None where no job is held against a baseline."""
    findings: list[Finding] = field(default_factory=list[Finding])
    canary: tuple[CanaryBlocks, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What is judged."""

    plan: PlanFile
    results: Path
    jobs: Sequence[Job]
    outcomes: Mapping[str, JobOutcome]
    earlier: Sequence[NightOutcome]


def judged(evidence: Evidence, run_again: RunAgain | None) -> Judged:
    """Judge; run again what alarms; judge that, and let stand what alarms both times.

    `run_again` None: nothing can be run, and an alarm stands as it is, told so. Raises what the gate and its files do.
    """
    first = _gate(evidence, evidence.outcomes)
    blocks = _blocks(evidence, evidence.outcomes)
    canary = list(judge_canary(blocks, evidence.earlier))
    again = _alarming(evidence.jobs, first, canary)
    if not again:
        return Judged(first and first.outcome, canary, tuple(blocks))
    repeated = run_again([recheck(job) for job in again]) if run_again else {}
    done = {job.id: repeated[recheck(job).id] for job in again if _is_done(repeated.get(recheck(job).id))}
    told = [_not_again(job, repeated.get(recheck(job).id)) for job in again if job.id not in done]
    gate = first.outcome if first else None
    if first and any(job in done for job in first.alarmed):
        kept = {name: done[name] for name in first.alarmed if name in done}
        second = _gate(evidence, {**evidence.outcomes, **kept})
        if second is not None:
            gate, gone = confirmed(first, second)
            told += gone
    canary, blocks = _canary_again(evidence, canary, blocks, done)
    return Judged(gate, [*(fallen(gate, first) if gate and first else ()), *canary, *told], tuple(blocks))


def _gate(evidence: Evidence, outcomes: Mapping[str, JobOutcome]) -> Judgement | None:
    plan = evidence.plan
    pairs = job_pairs(evidence.jobs, outcomes, plan.baselines, evidence.results)
    return judge(pairs, lambda: _policy(plan), load_noise(plan.noise) if plan.noise else None)


def _policy(plan: PlanFile) -> PolicyFile:
    return load_policy(plan.policy)


def _blocks(evidence: Evidence, outcomes: Mapping[str, JobOutcome]) -> list[CanaryBlocks]:
    """Of the speed jobs that ended well, called by the job's own name where it is a repetition."""
    return [
        block.model_copy(update={"job": job.id})
        for job in evidence.jobs
        if job.kind == "bench" and _is_done(outcomes.get(job.id))
        for block in blocks_of(job, outcomes[job.id], evidence.results)
    ]


def _alarming(jobs: Sequence[Job], gate: Judgement | None, canary: Iterable[Finding]) -> list[Job]:
    """The jobs that an alarm is about; where a finding of the canary names none, all of speed."""
    about = {finding.about for finding in canary if finding.kind in ALARMS}
    names = {*(gate.alarmed if gate else ()), *about}
    known = {job.id for job in jobs}
    return [job for job in jobs if job.id in names or (job.kind == "bench" and about - known)]


def _canary_again(
    evidence: Evidence, canary: list[Finding], blocks: list[CanaryBlocks], done: Mapping[str, JobOutcome]
) -> tuple[list[Finding], list[CanaryBlocks]]:
    """The canary's findings of which an alarm stands only where it is found again, and tonight's blocks: the newer ones of a
    job that ran twice."""
    alarms = [finding for finding in canary if finding.kind in ALARMS]
    if not alarms or not any(job.kind == "bench" and job.id in done for job in evidence.jobs):
        return canary, blocks
    newer = _blocks(evidence, {**evidence.outcomes, **done})
    second = {(finding.kind, finding.about) for finding in judge_canary(newer, evidence.earlier)}
    found = [
        finding
        if finding.kind not in ALARMS or (finding.kind, finding.about) in second
        else Finding(
            kind="told", about=finding.about, text=f"An alarm went away when the job ran again: {finding.text}"
        )
        for finding in canary
    ]
    return found, newer


def _is_done(outcome: JobOutcome | None) -> bool:
    return outcome is not None and outcome.status == "done"


def _not_again(job: Job, outcome: JobOutcome | None) -> Finding:
    why = f" ({outcome.text})" if outcome and outcome.text else ""
    return Finding(kind="told", about=job.id, text=f"Its alarm could not be re-checked tonight{why}, and stands.")
