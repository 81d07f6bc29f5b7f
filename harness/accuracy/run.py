"""An evaluation: one schedule over a suite, a record as each task's last request is answered, and nothing computed twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backends.contract import Backend, GenerateRequest, Generation, Score, ScoreRequest
from backends.opening import open_backend
from harness.accuracy.evaluation_key import evaluation_key
from harness.accuracy.faults import EngineRaisedError, answers_of, broken_off, not_written
from harness.accuracy.fewshot_draws import with_draws
from harness.accuracy.finite import ENOUGH, answers_not_finite, is_kept
from harness.accuracy.plan import TaskPlan
from harness.accuracy.prepare import EvalRequest, Evaluation, EvalWatcher, prepare
from harness.accuracy.recorder import Recorder
from harness.accuracy.resume_log import ResumeLog, open_resume_log
from harness.accuracy.times.clock import TaskTimes
from harness.conformance.self_check import known, known_or_checked
from harness.lmeval.encoding import Unit, UnitKey, window_of
from harness.lmeval.finite import is_finite, metrics_not_finite
from harness.lmeval.responses import Answer, answer_of, clear_responses, fill_responses
from harness.lmeval.scores import score_task
from harness.records.files import new_run_id
from harness.records.outcome import Failure, failure_of
from harness.records.provenance import subject_of
from harness.records.record import SCORED, Conformance, MetricScore, Record
from zoo.checkpoint.locate import Checkpoint, locate
from zoo.errors import MinizooError, NoIsolation, ScoresNotFinite, TaskFailed, one_line
from zoo.files import check_writable


@dataclass
class EvalOutcome:
    """What a run left: its records in order, and how many units of work it computed itself or found answered."""

    run_id: str
    records: list[Record] = field(default_factory=list)
    computed: int = 0
    reused: int = 0
    wall_s: float = 0.0
    """Seconds that this process took for it, preparing and loading included."""


def run(request: EvalRequest, results: Path, fresh: bool = False, watcher: EvalWatcher | None = None) -> EvalOutcome:
    """Everything that `minizoo eval` does: prepare, load the model, evaluate, record.

    No weight is fetched before all else is known to fit. Raises NotWritable for `results`, and what `prepare`, `locate`,
    `open_backend` and `evaluate` raise.
    """
    return run_prepared(prepared(request, results, watcher), results, fresh, watcher)


def prepared(request: EvalRequest, results: Path, watcher: EvalWatcher | None = None) -> Evaluation:
    """The first part of `run`: all that can refuse before a weight is fetched."""
    began = time.perf_counter()
    check_writable(results)
    if watcher:
        watcher.begins("preparing")
    evaluation = prepare(request, watcher.noted if watcher else None)
    if watcher:
        for note in evaluation.notes:
            watcher.noted(note)
    return replace(evaluation, prepare_s=time.perf_counter() - began)


def run_prepared(
    evaluation: Evaluation, results: Path, fresh: bool = False, watcher: EvalWatcher | None = None
) -> EvalOutcome:
    """The second part: the model in memory, evaluated, recorded, and its memory given back."""
    began = time.perf_counter()
    if watcher:
        watcher.planned(evaluation.plans)
        watcher.begins("loading the model")
    checkpoint = locate(evaluation.outline, watcher.fetched if watcher else None)
    backend = open_backend(checkpoint, evaluation.backend, evaluation.request.options)
    try:
        conformance = _conformance(evaluation, checkpoint, backend, results, watcher)
        outcome = evaluate(evaluation, checkpoint, backend, results, fresh, watcher, conformance)
    finally:
        backend.close()
    return replace(outcome, wall_s=evaluation.prepare_s + time.perf_counter() - began)


def _conformance(
    evaluation: Evaluation, checkpoint: Checkpoint, backend: Backend, results: Path, watcher: EvalWatcher | None
) -> Conformance:
    if evaluation.request.options.eager:  # the plain form tells nothing of the one that other runs of this backend take
        return known(backend, checkpoint, results)
    return known_or_checked(backend, checkpoint, evaluation.outline, results, watcher.noted if watcher else None)


def evaluate(
    evaluation: Evaluation,
    checkpoint: Checkpoint,
    backend: Backend,
    results: Path,
    fresh: bool = False,
    watcher: EvalWatcher | None = None,
    conformance: Conformance | None = None,
) -> EvalOutcome:
    """Run the evaluation and record every task of it below `results`. `conformance`: what is known of the backend.

    Goes on with a run of the same key whose process is dead (`fresh` discards that one instead). A task that fails by
    itself (it has no data, its own code raised, an answer is NaN or infinite) is recorded as `failed` and the others go on.
    When the backend raises, the tasks not yet recorded are recorded with what `failure_of` says, their answers are kept for a
    next run, and that cause (BackendBroke, DeviceMemory, DeviceLost) is raised; likewise NotWritable when a record cannot be
    written, but for the recording. An interrupt keeps everything and records nothing.
    """
    subject = subject_of(checkpoint)
    digests = {plan.name: plan.digest() for plan in evaluation.plans}
    log = open_resume_log(results, evaluation_key(evaluation, backend, subject), new_run_id(), fresh, digests)
    times = TaskTimes()
    recorder = Recorder(evaluation, backend, subject, results, log, times, conformance)
    current = _InFlight(evaluation, backend, log, recorder, times, watcher)
    try:
        current.go()
    except OSError as error:
        log.release()
        raise not_written(results, error) from error
    except (KeyboardInterrupt, MinizooError):
        log.release()
        raise
    except Exception as error:
        raised = error.__cause__ if isinstance(error, EngineRaisedError) else error
        failure = failure_of(raised if isinstance(raised, Exception) else error)
        current.give_up(failure)
        raise broken_off(failure, backend, log, evaluation.request.options.eager) from raised
    log.discard()
    return current.outcome


class _InFlight:
    """An evaluation while it runs: the pending units of every task that has no record yet."""

    def __init__(
        self,
        evaluation: Evaluation,
        backend: Backend,
        log: ResumeLog,
        recorder: Recorder,
        times: TaskTimes,
        watcher: EvalWatcher | None,
    ) -> None:
        self.outcome = EvalOutcome(log.run_id)
        self._backend = backend
        self._log = log
        self._recorder = recorder
        self._times = times
        self._watcher = watcher
        self._lost = evaluation.loaded.lost
        self._plans = {plan.name: plan for plan in evaluation.plans}
        self._answers: dict[str, dict[UnitKey, Answer]] = {name: {} for name in self._plans}
        self._reused: Counter[str] = Counter()
        self._bad: dict[str, set[UnitKey]] = {name: set() for name in self._plans}

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
        generations = [unit for unit in left if not isinstance(unit.request, ScoreRequest)]
        # A backend refuses settings at the call: one request of each task shows them to it, before hours of scoring.
        shown = {u.task: u.request for u in generations if isinstance(u.request, GenerateRequest)}
        self._backend.generate(list(shown.values()))
        self._compute("scoring", [u for u in left if isinstance(u.request, ScoreRequest)], self._backend.score)
        self._compute("generating", generations, self._backend.generate)
        self._record_lost()

    def give_up(self, failure: Failure) -> None:
        """Record the unfinished tasks with the failure and leave their answers to a next run."""
        for name in list(self._answers):
            self._add(self._recorder.failure(self._plans[name], failure.status, failure.code, failure.message))
        self._record_lost()
        done = {record.task: record.run_id for record in self.outcome.records if record.status in SCORED}
        self._log.hand_over(new_run_id(), done, failure.message)

    def _record_lost(self) -> None:
        """What could not be run. At the end: an interrupted run is to find its data when it goes on."""
        for task in self._lost:
            self._add(self._recorder.lost(task))

    def _refuse_code(self) -> None:
        """Where generated code cannot be run, the tasks that need it fail before a model spends hours on writing it."""
        waiting = [plan for name in self._answers if (plan := self._plans[name]).loaded.runs_code]
        if not waiting:
            return
        from harness.sandbox.runner import require_isolation

        try:
            require_isolation()
        except NoIsolation as error:
            for plan in waiting:
                self._fail(plan, error)

    def _take_answered(self, plan: TaskPlan) -> list[Unit]:
        """Take the answers that an interrupted run left for this task; return the units still to be computed."""
        left: list[Unit] = []
        for unit in plan.units:
            known = self._log.answers.get(str(unit.key))
            if known is None or not is_kept(known):
                left.append(unit)
            else:
                self._reused[plan.name] += 1
                self.outcome.reused += 1
                self._answer(unit, known, computed=False)
        return left

    def _compute(self, phase: str, units: list[Unit], call: Callable[[list[Any]], Iterable[Any]]) -> None:
        """Ask for every unit; where a task is given up meanwhile, ask anew without what it still wants."""
        if units and self._watcher:
            self._watcher.begins(phase)
        while units := [unit for unit in units if unit.task in self._answers]:
            units = self._ask(units, call)

    def _ask(self, units: list[Unit], call: Callable[[list[Any]], Iterable[Any]]) -> list[Unit]:
        """Take answers until there are no more, or a task is given up: then the units not yet answered."""
        left = dict(enumerate(units))
        self._times.asked()
        answers = answers_of(call, [unit.request for unit in units])
        for result in answers:
            if (unit := left.pop(result.index, None)) is None:
                raise ValueError(f"an answer to request {result.index}, which was not asked or is answered already")
            self._times.answered(unit, result)
            self._take(unit, result)
            self._times.asked()
            if unit.task not in self._answers and any(other.task == unit.task for other in left.values()):
                answers.close()
                return list(left.values())
        if left:
            raise RuntimeError(f"{len(left):,} of {len(units):,} requests have no answer")
        return []

    def _take(self, unit: Unit, result: Score | Generation) -> None:
        answer = answer_of(result, self._backend.tokenizer)
        if is_finite(result):
            self._log.append(str(unit.key), answer)
        else:
            self._bad[unit.task].add(unit.key)
        self.outcome.computed += 1
        self._answer(unit, answer, computed=True)
        self._finish_if_complete(unit.task)

    def _answer(self, unit: Unit, answer: Answer, computed: bool) -> None:
        self._answers[unit.task][unit.key] = answer
        if self._watcher:
            self._watcher.answered(unit, computed)

    def _finish_if_complete(self, name: str) -> None:
        plan, answers, bad = self._plans[name], self._answers[name], self._bad[name]
        if len(answers) < (min(ENOUGH, len(plan.units)) if bad else len(plan.units)):
            return
        if bad:
            self._fail(plan, answers_not_finite(plan, bad, len(answers), self._backend))
            return
        fill_responses(plan.sets, plan.units, answers, window_of(plan.loaded) is not None)
        try:
            scores, samples = score_task(plan.loaded, plan.documents, plan.documents_total)
            drawn = [score_task(plan.loaded, draw.documents)[0] for draw in plan.draws]
        except MinizooError as error:
            self._fail(plan, error)
        except OverflowError as error:  # lm-eval's exp() of a perplexity that no float holds
            self._fail(plan, ScoresNotFinite(f"The answers are finite, a metric of them is not ({one_line(error)})."))
        except Exception as error:  # a task's own code: whatever it raises is that task's failure, not the run's
            self._fail(plan, TaskFailed(f"{type(error).__name__}: {one_line(error)}"))
        else:
            self._succeed(plan, with_draws(scores, drawn), samples)
        clear_responses(document for documents in plan.sets.values() for document in documents)

    def _succeed(self, plan: TaskPlan, scores: list[MetricScore], samples: list[dict[str, Any]]) -> None:
        absent = metrics_not_finite(scores)
        if absent and all(score.value is None for score in scores):
            self._fail(plan, ScoresNotFinite(absent))
            return
        for record in self._recorder.success(plan, scores, samples, self._reused[plan.name], absent):
            self._add(record)

    def _fail(self, plan: TaskPlan, error: MinizooError) -> None:
        self._add(self._recorder.failure(plan, "failed", error.code, str(error)))

    def _add(self, record: Record) -> None:
        self._answers.pop(record.task, None)
        self.outcome.records.append(record)
        if self._watcher:
            self._watcher.recorded(record)
