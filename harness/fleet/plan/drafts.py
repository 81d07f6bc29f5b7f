"""The jobs of one entry of a plan, before they have their ids: an evaluation a suite, speed blocks a workload."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from harness.fleet.plan.checkpoints import find_checkpoints, weights_digest
from harness.fleet.plan.evaluated import Evaluated, Way
from harness.fleet.plan.loading import PlanFile
from harness.fleet.plan.lookups import Subject, check_runs, interpreter, look_up, parent_of, suite_at, workload_at
from harness.fleet.plan.schema import CPU, PlannedBackend, PlannedSuite
from harness.fleet.plan.words import PinnedCanary, bench_steps, eval_steps
from harness.records.night import Finding, Job, Role, Step
from zoo.checkpoint.model_ref import ModelRef

UNNAMED = "a"
"""The id of a job that has none yet."""


@dataclass(frozen=True)
class Draft:
    """A job before it has its id."""

    job: Job
    at: int
    """The entry of the plan that it comes from."""
    subject: Subject

    @property
    def apart(self) -> str:
        """All that sets it apart from another job."""
        steps = [step.model_dump(exclude={"role"}) for step in self.job.steps]
        return json.dumps([self.job.kind, self.job.accelerator, self.job.split, steps], sort_keys=True)

    @property
    def words(self) -> Sequence[str]:
        """Of its id."""
        job = self.job
        return (
            job.kind,
            self.subject.shown,
            job.suite or job.workload or "",
            job.backend or "",
            job.accelerator or CPU,
        )


def evaluations(file: PlanFile, subject: Subject, at: int) -> Iterator[Draft]:
    """Of a model, on each of its suites, by each backend, on each accelerator."""
    for suite, backend, accelerator in _ways(file, at):
        yield _evaluation(file, subject, at, suite, backend, accelerator)


def speed_tests(file: PlanFile, subject: Subject, at: int, canary: PinnedCanary | None) -> Iterator[Draft]:
    """Of a model, on each of its workloads, by each backend, on each accelerator."""
    plan, planned = file.plan, file.plan.models[at]
    every = product(plan.workloads_of(planned), plan.backends_of(planned), plan.accelerators_of(planned))
    for workload, backend, accelerator in every:
        name = workload_at(file, ("models", at), workload.workload).name
        steps = bench_steps(file, subject.words, workload, backend, accelerator, canary)
        yield _draft(subject, at, backend, accelerator, steps, kind="bench", workload=name)


def checkpoints(file: PlanFile, at: int, evaluated: Evaluated) -> tuple[list[Draft], list[Finding]]:
    """An evaluation of each checkpoint of an entry that has none yet, its parent's before them where that has none either; and
    what is left out."""
    planned = file.plan.models[at]
    parent = parent_of(file, at)
    axis = planned.axis or "steps"
    found, told = find_checkpoints(file, at, axis, parent.word if parent else None)
    drafts: list[Draft] = []
    for suite, backend, accelerator in _ways(file, at):
        way = Way(suite_at(file, ("models", at), suite.suite), backend.backend, accelerator, suite.limit)

        def is_new(ref: ModelRef, way: Way = way) -> bool:
            return not evaluated.has(way, weights_digest(ref), ref.id)

        new = [one for one in found if is_new(one.outline.ref)]
        if new and parent is not None and is_new(parent.ref):
            drafts.append(_evaluation(file, parent, at, suite, backend, accelerator, role="parent"))
        for one in new:
            path = ("models", at, "checkpoints")
            subject = Subject(one.outline.ref, str(one.folder), planned, path, one.label, axis, one.at)
            drafts.append(_evaluation(file, subject, at, suite, backend, accelerator))
        if len(new) < len(found):
            done = f"{len(found) - len(new)} of {len(found)} checkpoints of {planned.checkpoints}"
            text = f"{done} are evaluated already on suite {way.suite.name} by {backend.backend} on {accelerator}."
            told.append(Finding(kind="told", about=planned.checkpoints or "", text=text))
    return drafts, told


def pinned_canary(file: PlanFile) -> PinnedCanary | None:
    """The canary that the plan names, looked up. InvalidNightPlan where there is none, or its backend cannot run it."""
    canary = file.plan.canary
    if canary is None:
        return None
    ref, word = look_up(file, ("canary", "model"), canary.model)
    backend = PlannedBackend(backend=canary.backend, dtype=canary.dtype)
    check_runs(file, ("canary", "model"), ref, [backend])
    return PinnedCanary(("--model", word), backend, interpreter(file, canary.python), canary.blocks)


def each_once(file: PlanFile, drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts without a second one of the same work; InvalidNightPlan where the plan itself says the same twice.

    A parent that is a model of the plan too is measured as that.
    """
    kept: dict[str, Draft] = {}
    for draft in drafts:
        before = kept.get(draft.apart)
        if before is not None and not (_is_parent(before) or _is_parent(draft)):
            where = file.where(("models", before.at))
            said = f"this is job {'-'.join(filter(None, draft.words))} a second time, first at {where}"
            raise file.error(("models", draft.at), f"{said}.", "Remove one of the two.")
        if before is None or _is_parent(before):
            kept[draft.apart] = draft
    return list(kept.values())


def _is_parent(draft: Draft) -> bool:
    return draft.job.steps[0].role == "parent"


def _ways(file: PlanFile, at: int) -> Iterator[tuple[PlannedSuite, PlannedBackend, str]]:
    plan, planned = file.plan, file.plan.models[at]
    return product(plan.suites_of(planned), plan.backends_of(planned), plan.accelerators_of(planned))


def _evaluation(
    file: PlanFile, subject: Subject, at: int, suite: PlannedSuite, backend: PlannedBackend, accelerator: str,
    role: Role = "candidate",
) -> Draft:  # fmt: skip
    name = suite_at(file, ("models", at), suite.suite).name
    steps = eval_steps(file, subject.words, suite, backend, accelerator, role)
    return _draft(subject, at, backend, accelerator, steps, kind="eval", suite=name, split=suite.split)


def _draft(
    subject: Subject, at: int, backend: PlannedBackend, accelerator: str, steps: tuple[Step, ...], **rest: object
) -> Draft:
    facts = {
        "id": UNNAMED, "model": subject.word, "name": subject.ref.name, "label": subject.label, "axis": subject.axis,
        "at": subject.at, "parent": subject.ref.parent, "backend": backend.backend, "steps": steps,
        "accelerator": None if accelerator == CPU else accelerator,
    }  # fmt: skip
    return Draft(Job.model_validate(facts | rest), at, subject)
