"""A plan compiled to a night: its jobs, in their order, each of which any machine can run by itself."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from harness.fleet.plan.drafts import Draft, checkpoints, each_once, evaluations, pinned_canary, speed_tests
from harness.fleet.plan.earlier import Earlier
from harness.fleet.plan.evaluated import Evaluated
from harness.fleet.plan.held_against import HeldAgainst
from harness.fleet.plan.loading import PlanFile
from harness.fleet.plan.lookups import check_lists, check_rest, check_runs, subject_of
from harness.fleet.plan.naming import job_ids
from harness.records.files import new_run_id
from harness.records.night import Finding, Night

ADVISORY = (
    "The plan has workloads and no canary: each speed is measured once and is advisory, for nothing tells a slow machine from "
    "slow code. Name one: `canary: {model: …}`."
)
NO_BASELINES = "The plan names no baselines: nothing is held against one, and the gate has nothing to compare."


def compile_night(file: PlanFile, results: Path, now: datetime) -> Night:
    """The night that begins `now`, with every name looked up; nothing runs. Only caches are written: digests, the database.

    Accuracy comes before speed, each in the order of the plan. Ids of jobs follow from the plan alone. `Night.told` has what is
    left out, and why. Raises InvalidNightPlan with line and column for a model, suite, backend, workload, accelerator,
    baseline, policy, file or folder that there is not, and what reading a policy or a baseline raises for one that is broken.
    """
    check_rest(file)
    held, evaluated, canary = HeldAgainst(file), Evaluated(results), pinned_canary(file)
    evals: list[Draft] = []
    speeds: list[Draft] = []
    told: list[Finding] = []
    for at, planned in enumerate(file.plan.models):
        check_lists(file, at)
        if planned.model is None:
            new, left = checkpoints(file, at, evaluated)
            evals += new
            told += left
        else:
            subject = subject_of(file, at)
            check_runs(file, subject.at_path, subject.ref, file.plan.backends_of(planned))
            evals += evaluations(file, subject, at)
            speeds += speed_tests(file, subject, at, canary)
    evals, without = held.against(each_once(file, evals))
    told += without
    if file.baselines is None and evals:
        told.append(Finding(kind="told", about=file.plan.name, text=NO_BASELINES))
    if speeds and canary is None:
        told.append(Finding(kind="told", about=file.plan.name, text=ADVISORY))
    drafts = evals + each_once(file, speeds)
    ids = job_ids([(draft.words, draft.apart) for draft in drafts])
    jobs = [draft.job.model_copy(update={"id": one}) for draft, one in zip(drafts, ids, strict=True)]
    earlier = Earlier(results)
    took = [earlier.of(job) for job in jobs]
    return Night(
        id=new_run_id(),
        plan=file.plan.name,
        plan_digest=file.digest,
        started_at=now,
        minizoo=version("minizoo"),
        retries=file.plan.retries,
        jobs=tuple(job.model_copy(update={"minutes": t and t.minutes}) for job, t in zip(jobs, took, strict=True)),
        told=tuple(told),
    )
