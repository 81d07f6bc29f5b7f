"""What `minizoo nightly --dry-run` shows: the jobs with what they take, what the gate could detect, what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from minizoo.display.scale import rough_duration
from minizoo.output import Column, Output

if TYPE_CHECKING:
    from harness.fleet.plan.cost import JobCost
    from harness.fleet.plan.detectable import Detectable
    from harness.fleet.plan.loading import PlanFile
    from harness.fleet.plan.schema import NightPlan
    from harness.records.night import Job, Night

ABSENT = "–"


def show_plan(
    output: Output, file: PlanFile, night: Night, costs: Sequence[JobCost], prospects: Sequence[Detectable]
) -> None:
    """The tables, or the JSON document `night-plan`."""
    plan = file.plan
    if output.as_json:
        output.document("night-plan", document(plan, night, costs, prospects))
        return
    output.table(_job_columns(), [_job_row(cost) for cost in costs], f"Plan {plan.name}: what a night would run")
    for line in told_total(plan, costs):
        output.text(line)
    if prospects:
        output.text()
        columns = [Column("what", importance=9), Column("of", importance=7), Column("documents", True, 5)]
        columns += [Column("least loss", True, 8), Column("by", importance=4)]
        output.table(columns, [_prospect_row(one) for one in prospects], f"What its gate ({plan.policy}) could detect")
    for finding in night.told:
        output.text(finding.text)


def document(
    plan: NightPlan, night: Night, costs: Sequence[JobCost], prospects: Sequence[Detectable]
) -> dict[str, Any]:
    """Everything that the tables show, and each command."""
    minutes, hours = total_minutes(costs), gpu_hours(costs)
    return {
        "plan": plan.name,
        "plan_digest": night.plan_digest,
        "jobs": [
            {
                **cost.job.model_dump(mode="json"),
                "minutes": cost.minutes,
                "bound": cost.bound or None,
                "basis": cost.basis,
                "gpu_hours": cost.gpu_hours,
            }
            for cost in costs
        ],
        "minutes": minutes,
        "gpu_hours": hours,
        "unknown": [cost.job.id for cost in costs if cost.minutes is None],
        "deadline_minutes": plan.deadline,
        "budget_gpu_hours": plan.budget.gpu_hours,
        "detectable": [
            {"what": one.what, "of": one.where, "documents": one.documents, "least": one.least, "told": one.told}
            for one in prospects
        ],
        "told": [finding.model_dump(mode="json") for finding in night.told],
    }


def total_minutes(costs: Sequence[JobCost]) -> float | None:
    """Of all whose time is known, one after the other; None where none is."""
    known = [cost.minutes for cost in costs if cost.minutes is not None]
    return sum(known) if known else None


def gpu_hours(costs: Sequence[JobCost]) -> float | None:
    """Of all whose time is known; None where a GPU has jobs and none of them is."""
    known = [cost.gpu_hours for cost in costs if cost.gpu_hours is not None]
    return sum(known) if known or not costs else None


def told_total(plan: NightPlan, costs: Sequence[JobCost]) -> Iterator[str]:
    """How many jobs, how long, against which deadline and budget; what is unknown."""
    minutes, hours = total_minutes(costs), gpu_hours(costs)
    many = f"{len(costs)} job{'' if len(costs) == 1 else 's'}"
    took = (
        "of unknown length" if minutes is None else f"{_told(costs)}{rough_duration(60 * minutes)} one after the other"
    )
    gpu = f", {hours:.2f} GPU-hours" if hours else ""
    yield f"{many}, {took}{gpu}."
    if unknown := [cost.job.id for cost in costs if cost.minutes is None]:
        yield f"The time of {len(unknown)} is unknown until they have run once here: {', '.join(unknown)}."
    if plan.deadline is not None:
        over = minutes is not None and minutes > plan.deadline
        beyond = " Jobs on one device do not all fit: the last are not begun." if over else ""
        yield f"Deadline {rough_duration(60 * plan.deadline, '')} from its start.{beyond}"
    if (budget := plan.budget.gpu_hours) is not None:
        over = hours is not None and hours > budget
        yield f"Budget {budget:g} GPU-hours.{' It is not enough: the last jobs are not begun.' if over else ''}"


def _told(costs: Sequence[JobCost]) -> str:
    bounds = {cost.bound for cost in costs if cost.minutes is not None}
    partly = any(cost.minutes is None for cost in costs)
    return "at least " if partly or "at least" in bounds else "at most " if "at most" in bounds else ""


def _job_columns() -> list[Column]:
    columns = [Column("job", importance=9), Column("model", importance=7), Column("on", importance=6)]
    columns += [Column("backend", importance=5), Column("accelerator", importance=5), Column("processes", True, 3)]
    return [*columns, Column("baseline", importance=6), Column("time", True, 8), Column("by", importance=2)]


def _job_row(cost: JobCost) -> list[str]:
    job = cost.job
    time = "?" if cost.minutes is None else f"{_SIGNS[cost.bound]}{rough_duration(60 * cost.minutes, '')}"
    return [
        job.id, shown(job), job.suite or job.workload or ABSENT, job.backend or ABSENT, job.accelerator or "cpu",
        str(len(job.steps)), job.baseline or ABSENT, time, cost.basis,
    ]  # fmt: skip


def shown(job: Job) -> str:
    """What a person calls the job's model."""
    return job.name or job.model


_SIGNS = {"": "≈ ", "at least": "≥ ", "at most": "≤ "}


def _prospect_row(one: Detectable) -> list[str]:
    documents = ABSENT if one.documents is None else f"{one.documents:,}"
    least = ABSENT if one.least is None else f"{100 * one.least:.2g} %"
    return [one.what, one.where, documents, least, one.told]
