"""Each axis of a pruning plan cut alone, without a copy of the weights: what of the right answers' probability it costs."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from backends.opening import open_backend
from harness.accuracy.prepare import EvalRequest, Evaluation, prepare
from harness.divergence.axis_loss import WHOLE, AxisLosses, BesideParent
from harness.divergence.right_answers import RightAnswers, right_answers, with_right_answer
from harness.divergence.same_questions import asked_of_another
from harness.divergence.watcher import DivergenceWatcher, Silent
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.locate import Checkpoint, locate
from zoo.checkpoint.model_ref import resolve
from zoo.errors import InternalError, InvalidPlan, InvalidTarget, NoRightAnswer, ScoresNotFinite
from zoo.prune.parent import Parent, open_parent
from zoo.prune.plan import Plan, cut_axes, one_axis, read_plan
from zoo.prune.target import check_built
from zoo.prune.write.cut import check_parent
from zoo.prune.write.writer import write_virtual


def axis_losses(
    parent: str, plan: Plan | Path | str, request: EvalRequest, watcher: DivergenceWatcher | None = None
) -> AxisLosses:
    """What each axis of the plan costs on the tasks of `request` that have a right answer, `pruned` running all models.

    `request` says suite, documents, data and device; its model is the parent. Nothing is recorded. A cut that transformers
    refuses, or whose answers are no numbers, is a row with the reason. Raises InvalidPlan, OtherParent, NoRightAnswer, and what
    `prepare`, `locate` and `right_answers` raise.
    """
    watcher = watcher or Silent()
    plan = plan if isinstance(plan, Plan) else plan_of(plan)
    axes = cut_axes(plan)
    if not axes:
        raise InvalidPlan("The plan cuts nothing: there is no axis to cut alone.", "Give a plan that does.")
    watcher.begins("preparing")
    asked = _prepared(replace(request, model=parent, name=None, parent=None, backend="pruned"), watcher)
    checkpoint = locate(asked.outline, watcher.fetched)
    opened = open_parent(checkpoint.folder, checkpoint.name)
    check_parent(plan, opened)
    beside = BesideParent(_answers(asked, checkpoint, opened.name, watcher))
    if not beside.known.any():
        raise _no_right_answer(asked)
    plans = {**({axis: one_axis(plan, axis) for axis in axes} if len(axes) > 1 else {}), WHOLE: plan}
    cuts = {axis: (cut, _answers_of_cut(asked, opened, axis, cut, watcher)) for axis, cut in plans.items()}
    unknown = beside.without_right_answer()
    return AxisLosses(
        opened.name,
        plan.digest(),
        asked.suite.name,
        count_parameters(opened.dims).total,
        beside.gold,
        beside.accuracy,
        beside.rows(cuts),
        beside.interaction(cuts),
        (f"No right answer is known of {', '.join(unknown)}.",) if unknown else (),
    )


def plan_of(word: Path | str) -> Plan:
    """The plan that a word means: a plan.json, a folder that holds one, or a model of the registry that comes with one.

    Raises InvalidPlan where there is none, and what `resolve` raises.
    """
    if Path(word).expanduser().is_file():
        return read_plan(Path(word).expanduser())
    ref = resolve(str(word))
    if ref.folder is None or not (ref.folder / "plan.json").is_file():
        raise InvalidPlan(
            f"{ref.shown} comes without a pruning plan.",
            "Give a plan.json, or a folder that `minizoo prune` wrote.",
        )
    return read_plan(ref.folder / "plan.json")


def _prepared(request: EvalRequest, watcher: DivergenceWatcher) -> Evaluation:
    """The tasks of the request that have a right answer; NoRightAnswer where none has."""
    once = replace(request, rules=replace(request.rules, fewshot_seeds=1))
    evaluation = prepare(once, watcher.noted)
    for note in evaluation.notes:
        watcher.noted(note)
    asked = replace(evaluation, plans=with_right_answer(evaluation.plans))
    if not asked.plans:
        raise _no_right_answer(asked)
    return asked


def _answers_of_cut(
    asked: Evaluation, parent: Parent, axis: str, plan: Plan, watcher: DivergenceWatcher
) -> RightAnswers | str:
    """What the parent answers when it is cut by the plan, or why that has no numbers."""
    with TemporaryDirectory(prefix="minizoo-axes-") as work:
        try:
            check_built(plan.shape)
            write_virtual(plan, parent, Path(work) / "child")
            child = asked_of_another(asked, replace(asked.request, model=str(Path(work) / "child")))
            if child is None:
                raise InternalError("A plan's tokenizer or context is not its parent's.", "Report it with the plan.")
            what = "cut by the whole plan" if axis == WHOLE else f"with {axis} cut"
            return _answers(child, locate(child.outline), f"{parent.name} {what}", watcher)
        except (InvalidTarget, ScoresNotFinite) as error:
            return error.what


def _no_right_answer(evaluation: Evaluation) -> NoRightAnswer:
    return NoRightAnswer(
        f"No task of suite {evaluation.suite.name} has one right answer whose log-probability is known.",
        "Take a suite with multiple choice, or name such tasks (--tasks).",
    )


def _answers(asked: Evaluation, checkpoint: Checkpoint, name: str, watcher: DivergenceWatcher) -> RightAnswers:
    watcher.begins(f"scoring {name}", "tokens")
    tokens, done = sum(plan.tokens for plan in asked.plans), 0

    def told(more: int) -> None:
        nonlocal done
        done += more
        watcher.advanced(done, tokens)

    with closing(open_backend(checkpoint, asked.backend, asked.request.options)) as backend:
        return right_answers(asked.plans, backend, told)
