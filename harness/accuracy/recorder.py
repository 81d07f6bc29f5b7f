"""The records of one run: what they all share is worked out once, and a group's follows that of its last leaf task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from backends.contract import Backend
from harness.accuracy.finite import whole_groups
from harness.accuracy.plan import TaskPlan
from harness.accuracy.prepare import Evaluation
from harness.accuracy.resume_log import ResumeLog
from harness.accuracy.times.clock import Span, TaskTimes, span_of_group
from harness.accuracy.times.flops import flops_of
from harness.conformance.standing import scored
from harness.lmeval.finite import metrics_not_finite
from harness.lmeval.loading.lost import LostTask
from harness.lmeval.scores import score_group
from harness.records.files import folder_name, read_record, run_folder, write_record
from harness.records.provenance import setting_of
from harness.records.record import SCORED, Conformance, Counts, MetricScore, Record, Status, Subject

NOBODY_ASKED = "the run did not ask"


class Recorder:
    """Writes the records of one run and knows which tasks and groups are recorded already."""

    def __init__(
        self,
        evaluation: Evaluation,
        backend: Backend,
        subject: Subject,
        results: Path,
        log: ResumeLog,
        times: TaskTimes,
        conformance: Conformance | None = None,
    ) -> None:
        self._conformance = conformance or Conformance(state="unchecked", reason=NOBODY_ASKED)
        self._evaluation = evaluation
        self._results = results
        self._log = log
        self._times = times
        self._backend = backend
        self._flops = flops_of(evaluation.outline.ref, evaluation.outline)
        self._subject = subject
        setting = setting_of(backend, evaluation.request.seed)
        self._setting = setting.model_copy(update={"versions": {**setting.versions, **evaluation.versions}})
        self._recorded: dict[str, Record] = {}

    def recorded_before(self, task: str) -> Iterator[Record]:
        """The record of a task that this run finished before it was interrupted, and of the groups it completed."""
        run_id = self._log.finished.get(task, self._log.run_id)
        known = self._known(run_id, task)
        if known is None:
            return
        yield known
        if known.status in SCORED:
            self._recorded[task] = known
            for group in self._completed_by(task):
                yield self._known(run_id, group.name) or self._group(group)

    def success(
        self,
        plan: TaskPlan,
        scores: list[MetricScore],
        samples: list[dict[str, Any]],
        reused: int,
        absent: str | None = None,
    ) -> Iterator[Record]:
        """Record a task that went well, then every group that is complete with it. `absent`: metrics without a value."""
        record = self._write(
            samples,
            self._times.span(plan.name),
            **self._about(plan),
            **scored(self._conformance, self._backend.name, absent),
            **_of_code(plan),
            counts=_counts(plan, reused),
            work=self._times.work(plan.name, self._backend, self._flops),
            scores=tuple(scores),
        )
        yield record
        self._recorded[plan.name] = record
        for group in self._completed_by(plan.name):
            yield self._group(group)

    def failure(self, plan: TaskPlan, status: Status, code: str, reason: str) -> Record:
        """Record a task that failed, with the code of its cause and the reason in words."""
        span = self._times.span(plan.name)
        return self._write([], span, **self._about(plan), status=status, code=code, reason=reason, counts=None)

    def lost(self, task: LostTask) -> Record:
        """Record a task, or a group, that could not be run; its record where the run had one before it was interrupted."""
        run_id = self._log.finished.get(task.name, self._log.run_id)
        return self._known(run_id, task.name) or self._write(
            [],
            self._times.span(task.name),
            task=task.name,
            task_version=task.version,
            task_digest="",
            shots=task.shots,
            limit=task.limit,
            overflow=task.overflow,
            members=task.members,
            status="failed",
            code=task.error.code,
            reason=str(task.error),
            counts=None,
        )

    def _group(self, group: Any) -> Record:
        leaves = [task.task_name for task in group.get_all_tasks()]
        below = {name: self._recorded[name].scores for name in leaves}
        scores = whole_groups(score_group(group, below), below.values())
        loaded = [self._evaluation.loaded.tasks[name] for name in leaves]  # of one suite entry, so alike in its rules
        shots = {leaf.shots for leaf in loaded}
        return self._write(
            [],
            span_of_group([self._recorded[name] for name in leaves]),
            task=group.name,
            task_version=str(group.version),
            task_digest="",
            shots=shots.pop() if len(shots) == 1 else None,
            limit=loaded[0].limit,
            overflow=loaded[0].overflow,
            data="; ".join(dict.fromkeys(leaf.data for leaf in loaded if leaf.data)),
            members=tuple(leaves),
            **scored(self._conformance, self._backend.name, metrics_not_finite(scores)),
            counts=_summed([_counts(plan, 0) for plan in self._evaluation.plans if plan.name in leaves]),
            scores=tuple(scores),
        )

    def _write(self, samples: list[dict[str, Any]], span: Span, data: str | None = None, **fields: Any) -> Record:
        versions = {**self._setting.versions, "data": data} if data else self._setting.versions
        record = Record(
            run_id=self._log.run_id,
            suite=self._evaluation.suite.name,
            resolved_suite=self._evaluation.suite.model_dump(mode="json"),
            **vars(span),
            run_started_at=self._times.run_started_at,
            subject=self._subject,
            setting=self._setting.model_copy(update={"versions": versions}),
            conformance=self._conformance,
            chat_template=self._evaluation.chat_template,
            context=self._evaluation.outline.context.tokens,
            context_assumed=self._evaluation.outline.context.assumed,
            **fields,
        )
        write_record(self._results, record, samples)
        return record

    def _completed_by(self, task: str) -> list[Any]:
        """The groups whose last leaf to be scored is this one, innermost first."""
        found: list[Any] = []
        for group in self._evaluation.loaded.groups:
            leaves = [leaf.task_name for leaf in group.get_all_tasks()]
            if task in leaves and all(leaf in self._recorded for leaf in leaves):
                found.append(group)
        return found

    def _known(self, run_id: str, task: str) -> Record | None:
        path = run_folder(self._results, run_id) / folder_name(task) / "record.json"
        return read_record(path) if path.is_file() else None

    def _about(self, plan: TaskPlan) -> dict[str, Any]:
        return {
            "task": plan.name,
            "task_version": str(plan.loaded.task.VERSION),
            "task_digest": plan.digest(),
            "shots": plan.loaded.shots,
            "limit": plan.loaded.limit,
            "overflow": plan.loaded.overflow,
            "decoding": plan.loaded.decoding,
            "data": plan.loaded.data,
        }


def _counts(plan: TaskPlan, reused: int) -> Counts:
    return Counts(
        documents=len(plan.documents),
        documents_total=plan.documents_total,
        requests=plan.requests,
        tokens=plan.tokens,
        truncated=plan.truncated,
        reused=reused,
    )


def _summed(counts: Sequence[Counts]) -> Counts:
    """The work of a group: that of its tasks together."""
    return Counts(**{name: sum(getattr(each, name) for each in counts) for name in Counts.model_fields})


def _of_code(plan: TaskPlan) -> dict[str, Any]:
    """How generated code was kept apart and what it could import, for a task that runs any."""
    if not plan.loaded.runs_code:
        return {}
    from harness.sandbox.runner import isolation, packages_here

    return {"isolation": isolation(), "code_packages": packages_here()}
