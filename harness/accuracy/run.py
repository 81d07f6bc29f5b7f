"""An evaluation: one schedule over a suite, a record as each task's last request is answered, and nothing computed twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from backends.contract import Backend, ScoreRequest
from backends.opening import open_backend
from harness.accuracy.fewshot_draws import with_draws
from harness.accuracy.plan import TaskPlan
from harness.accuracy.prepare import Evaluation, Request, prepare
from harness.accuracy.recorder import Recorder
from harness.accuracy.resume_log import Partial, open_partial, partial_key
from harness.lmeval.encoding import Unit
from harness.lmeval.responses import Answer, answer_of, clear_responses, fill_responses
from harness.lmeval.scores import score_task
from harness.records.files import new_run_id
from harness.records.provenance import subject_of
from harness.records.record import Record, Subject
from zoo.errors import EnvironmentIssue, MinizooError, one_line
from zoo.files import check_writable


class Watcher(Protocol):
    """Is told how an evaluation goes on, e.g. to draw a progress bar."""

    def planned(self, plans: Sequence[TaskPlan]) -> None:
        """This is what will be done."""
        ...

    def answered(self, unit: Unit, computed: bool) -> None:
        """A unit of work has its answer; `computed` is False for one that an interrupted run left."""
        ...

    def recorded(self, record: Record) -> None:
        """A task has its record."""
        ...


@dataclass
class Outcome:
    """What a run left: its records in order, and how many units of work it computed itself or found answered."""

    run_id: str
    records: list[Record] = field(default_factory=list)
    computed: int = 0
    reused: int = 0


def run(request: Request, results: Path, fresh: bool = False, watcher: Watcher | None = None) -> Outcome:
    """Everything that `minizoo eval` does: prepare, load the model, evaluate, record."""
    check_writable(results)
    evaluation = prepare(request)
    if watcher:
        watcher.planned(evaluation.plans)
    backend = open_backend(evaluation.checkpoint, request.backend, request.options)
    try:
        return evaluate(evaluation, backend, results, fresh, watcher)
    finally:
        backend.close()


def evaluate(
    evaluation: Evaluation, backend: Backend, results: Path, fresh: bool = False, watcher: Watcher | None = None
) -> Outcome:
    """Run the evaluation and record every task of it below `results`.

    Goes on with a run of the same key whose process is dead (`fresh` discards that one instead). A task that fails by
    itself is recorded as `failed` and the others go on. When the backend breaks, the tasks not yet recorded are recorded
    as `infra_failed`, their answers are kept for a next run, and an EnvironmentIssue is raised; likewise when a record
    cannot be written, but for the recording. An interrupt keeps everything and records nothing.
    """
    subject = subject_of(evaluation.checkpoint)
    partial = open_partial(results, _key(evaluation, backend, subject), new_run_id(), fresh)
    run = _Run(evaluation, backend, partial, Recorder(evaluation, backend, subject, results, partial), watcher)
    try:
        run.go()
    except OSError as error:
        partial.release()
        raise EnvironmentIssue(
            f"A result could not be written to {results} ({error.strerror or error}).",
            "What was finished is kept: free some space, and the same command goes on from there.",
        ) from error
    except (KeyboardInterrupt, MinizooError):
        partial.release()
        raise
    except Exception as error:
        run.break_down(error)
        raise EnvironmentIssue(
            f"The {backend.name} backend broke on {backend.device} ({type(error).__name__}: {one_line(error)}).",
            "What was answered is kept: the same command goes on from there. `minizoo --debug` shows the traceback.",
        ) from error
    partial.discard()
    return run.outcome


class _Run:
    """The state of one evaluation while it runs: who waits for what."""

    def __init__(
        self, evaluation: Evaluation, backend: Backend, partial: Partial, recorder: Recorder, watcher: Watcher | None
    ) -> None:
        self.outcome = Outcome(partial.run_id)
        self._backend = backend
        self._partial = partial
        self._recorder = recorder
        self._watcher = watcher
        self._plans = {plan.name: plan for plan in evaluation.plans}
        self._answers: dict[str, dict[str, Answer]] = {name: {} for name in self._plans}
        self._reused: Counter[str] = Counter()

    def go(self) -> None:
        """Take what is recorded, then what is answered, then compute the rest: scores first, generations after."""
        for name in list(self._plans):
            for record in self._recorder.recorded_before(name):
                self.outcome.reused += len(self._plans[name].units) if record.task == name else 0
                self._add(record)
        self._refuse_code()
        left = [unit for name in list(self._answers) for unit in self._take_answered(self._plans[name])]
        for name in list(self._answers):
            self._finish_if_complete(name)
        self._compute([u for u in left if isinstance(u.request, ScoreRequest)], self._backend.score)
        self._compute([u for u in left if not isinstance(u.request, ScoreRequest)], self._backend.generate)

    def break_down(self, error: Exception) -> None:
        """Record the unfinished tasks as `infra_failed` and leave their answers to a next run."""
        reason = f"{type(error).__name__}: {one_line(error)}"
        for name in list(self._answers):
            self._add(self._recorder.failure(self._plans[name], "infra_failed", reason))
        done = {record.task: record.run_id for record in self.outcome.records if record.status == "ok"}
        self._partial.hand_over(new_run_id(), done)

    def _refuse_code(self) -> None:
        """Where generated code cannot be run, the tasks that need it fail before a model spends hours on writing it."""
        waiting = [plan for name in self._answers if (plan := self._plans[name]).loaded.runs_code]
        if not waiting:
            return
        from harness.sandbox.runner import NoIsolation, require_isolation

        try:
            require_isolation()
        except NoIsolation as fault:
            for plan in waiting:
                self._add(self._recorder.failure(plan, "failed", str(fault)))

    def _take_answered(self, plan: TaskPlan) -> list[Unit]:
        """Take the answers that an interrupted run left for this task; return the units still to be computed."""
        left: list[Unit] = []
        for unit in plan.units:
            known = self._partial.answers.get(unit.key)
            if known is None:
                left.append(unit)
            else:
                self._reused[plan.name] += 1
                self.outcome.reused += 1
                self._answer(unit, known, computed=False)
        return left

    def _compute(self, units: list[Unit], call: Callable[[list[Any]], Iterable[Any]]) -> None:
        for result in call([unit.request for unit in units]) if units else ():
            unit = units[result.index]
            answer = answer_of(result, self._backend.tokenizer)
            self._partial.append(unit.key, answer)
            self.outcome.computed += 1
            self._answer(unit, answer, computed=True)
            self._finish_if_complete(unit.task)

    def _answer(self, unit: Unit, answer: Answer, computed: bool) -> None:
        self._answers[unit.task][unit.key] = answer
        if self._watcher:
            self._watcher.answered(unit, computed)

    def _finish_if_complete(self, name: str) -> None:
        plan = self._plans[name]
        if len(self._answers[name]) < len(plan.units):
            return
        fill_responses(plan, self._answers[name])
        try:
            scores, samples = score_task(plan.loaded, plan.documents, plan.documents_total)
            drawn = [score_task(plan.loaded, draw.documents)[0] for draw in plan.draws]
        except Exception as error:  # a task's own code: whatever it raises is that task's failure, not the run's
            reason = str(error) if isinstance(error, MinizooError) else f"{type(error).__name__}: {one_line(error)}"
            self._add(self._recorder.failure(plan, "failed", reason))
        else:
            for record in self._recorder.success(plan, with_draws(scores, drawn), samples, self._reused[name]):
                self._add(record)
        clear_responses(plan)

    def _add(self, record: Record) -> None:
        self._answers.pop(record.task, None)
        self.outcome.records.append(record)
        if self._watcher:
            self._watcher.recorded(record)


def _key(evaluation: Evaluation, backend: Backend, subject: Subject) -> str:
    return partial_key(
        {
            "weights": subject.weights_digest,
            "tokenizer": subject.tokenizer_digest,
            "suite": evaluation.suite.model_dump(mode="json"),
            "tasks": {plan.name: plan.digest() for plan in evaluation.plans},
            "overflow": {plan.name: plan.loaded.overflow for plan in evaluation.plans},
            "limit": evaluation.request.limit,
            "seed": evaluation.request.seed,
            "backend": [backend.name, backend.device, backend.dtype],
            "versions": dict(backend.versions),
        }
    )
