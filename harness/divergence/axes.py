"""Each axis of a pruning plan cut alone, without a copy of the weights: what of the right answers' probability it costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from backends.opening import open_backend
from harness.accuracy.prepare import EvalRequest, Evaluation, prepare
from harness.divergence.figures import Mean, as_mean, clustered
from harness.divergence.right_answers import RightAnswers, right_answers, with_right_answer
from harness.divergence.same_questions import asked_of_another
from harness.divergence.watcher import DivergenceWatcher, Silent
from harness.stats.paired.holm import holm
from harness.stats.paired.real import mean_p
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.locate import Checkpoint, locate
from zoo.checkpoint.model_ref import resolve
from zoo.errors import InternalError, InvalidConfig, InvalidPlan, NoRightAnswer, ScoresNotFinite
from zoo.prune.indices import as_runs
from zoo.prune.parent import Parent, open_parent
from zoo.prune.plan import Plan, cut_axes, one_axis, read_plan
from zoo.prune.write.cut import check_parent
from zoo.prune.write.writer import write_virtual

WHOLE = "whole plan"
"""The row of the plan as it is."""


@dataclass(frozen=True)
class TaskLoss:
    """The same of one task."""

    task: str
    n: int
    accuracy_parent: float | None
    accuracy: float | None
    difference: Mean


@dataclass(frozen=True)
class AxisLoss:
    """The parent with one axis cut, or with the whole plan, beside the parent. Means over items; nats, shares of 1."""

    axis: str
    cut: str
    """`144 → 96`."""
    parameters: int
    saved: int
    """Parameters of the parent that are gone."""
    n: int = 0
    """Items whose right answer has a log-probability."""
    gold: float | None = None
    accuracy: float | None = None
    difference: Mean | None = None
    """log p of the right answer, this model's less the parent's."""
    p_value: float | None = None
    """Two-sided, of no difference."""
    p_holm: float | None = None
    """Over the rows."""
    tasks: tuple[TaskLoss, ...] = ()
    refused: str | None = None
    """Why this cut has no numbers."""

    @property
    def lost_per_million(self) -> float | None:
        """Nats lost an item for each million parameters saved."""
        return None if self.difference is None or not self.saved else -self.difference.value / (self.saved / 1e6)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**dataclasses.asdict(self), "lost_per_million": self.lost_per_million}


@dataclass(frozen=True)
class AxisLosses:
    """A row an axis, the whole plan last, and what the axes cost together beyond their sum."""

    parent: str
    plan: str
    """The plan's digest."""
    suite: str
    parameters: int
    """The parent's."""
    gold: float
    accuracy: float | None
    rows: tuple[AxisLoss, ...]
    interaction: Mean | None = None
    """The whole plan's difference less the sum of the axes', paired by item: below 0 the cuts make each other worse."""
    notes: tuple[str, ...] = ()

    @property
    def sum_of_axes(self) -> float | None:
        """The differences of the axes, added up; None where one has none."""
        found = [row.difference for row in self.rows if row.axis != WHOLE]
        return None if None in found else sum(each.value for each in found if each)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        rows = [row.document() for row in self.rows]
        return {**dataclasses.asdict(self), "rows": rows, "sum_of_axes": self.sum_of_axes}


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
    rules = replace(request.rules, fewshot_seeds=1)
    evaluation = prepare(
        replace(request, model=parent, name=None, parent=None, backend="pruned", rules=rules), watcher.noted
    )
    for note in evaluation.notes:
        watcher.noted(note)
    evaluation = replace(evaluation, plans=with_right_answer(evaluation.plans))
    checkpoint = locate(evaluation.outline, watcher.fetched)
    opened = open_parent(checkpoint.folder, checkpoint.name)
    check_parent(plan, opened)
    found = _answers(evaluation, checkpoint, checkpoint.name, watcher)
    whole = _Whole(opened, evaluation, found, np.isfinite(found.gold))
    if not whole.known.any():
        raise NoRightAnswer(
            f"No task of suite {evaluation.suite.name} has one right answer whose log-probability is known.",
            "Take a suite with multiple choice, or `--tasks`.",
        )
    cuts = {**({axis: one_axis(plan, axis) for axis in axes} if len(axes) > 1 else {}), WHOLE: plan}
    return whole.losses(plan, {axis: (cut, whole.cut_by(axis, cut, watcher)) for axis, cut in cuts.items()})


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


@dataclass(frozen=True)
class _Whole:
    """The parent, what it was asked and what it answered; `known` are the items that have a right answer."""

    opened: Parent
    evaluation: Evaluation
    answers: RightAnswers
    known: Any

    def cut_by(self, axis: str, plan: Plan, watcher: DivergenceWatcher) -> RightAnswers | str:
        """What the parent answers when it is cut by the plan, or why that has no numbers."""
        name = f"{self.opened.name} with {axis} cut" if axis != WHOLE else f"{self.opened.name} cut by the whole plan"
        with TemporaryDirectory(prefix="minizoo-axes-") as work:
            folder = Path(work) / "child"
            write_virtual(plan, self.opened, folder)
            asked = asked_of_another(self.evaluation, replace(self.evaluation.request, model=str(folder)))
            if asked is None:
                raise InternalError(
                    "A plan's tokenizer or context is not its parent's.", "Please report it with the plan."
                )
            try:
                return _answers(asked, locate(asked.outline), name, watcher)
            except (InvalidConfig, ScoresNotFinite) as error:
                return error.what

    def losses(self, plan: Plan, made: Mapping[str, tuple[Plan, RightAnswers | str]]) -> AxisLosses:
        """Every row beside the parent."""
        rows = [self._row(axis, cut, answers) for axis, (cut, answers) in made.items()]
        tested = [at for at, row in enumerate(rows) if row.p_value is not None]
        for at, p in zip(tested, holm([rows[at].p_value or 0.0 for at in tested]), strict=True):
            rows[at] = replace(rows[at], p_holm=p)
        found = {axis: answers for axis, (_, answers) in made.items() if not isinstance(answers, str)}
        return AxisLosses(
            self.opened.name,
            plan.digest(),
            self.evaluation.suite.name,
            count_parameters(self.opened.dims).total,
            float(self.answers.gold[self.known].mean()),
            _mean(self.answers.right[self.known]),
            tuple(rows),
            self._interaction(found) if len(found) == len(made) > 1 else None,
            tuple(self._left_out()),
        )

    def _row(self, axis: str, plan: Plan, answers: RightAnswers | str) -> AxisLoss:
        parameters = plan.shape.parameters
        row = AxisLoss(axis, _words(plan, axis), parameters, count_parameters(self.opened.dims).total - parameters)
        if isinstance(answers, str):
            return replace(row, refused=answers)
        difference = clustered(*self._differences(answers, self.known))
        return replace(
            row,
            n=int(self.known.sum()),
            gold=float(answers.gold[self.known].mean()),
            accuracy=_mean(answers.right[self.known]),
            difference=as_mean(difference),
            p_value=mean_p(difference),
            tasks=tuple(self._by_task(answers)),
        )

    def _by_task(self, answers: RightAnswers) -> Iterator[TaskLoss]:
        for task in dict.fromkeys(self.answers.task[self.known]):
            mine = self.known & (self.answers.task == task)
            yield TaskLoss(
                task,
                int(mine.sum()),
                _mean(self.answers.right[mine]),
                _mean(answers.right[mine]),
                as_mean(clustered(*self._differences(answers, mine))),
            )

    def _differences(self, answers: RightAnswers, mine: Any) -> tuple[Any, Any]:
        """log p of the right answer less the parent's, and the cluster's number, of some items."""
        return answers.gold[mine] - self.answers.gold[mine], np.unique(self.answers.cluster[mine], return_inverse=True)[
            1
        ]

    def _interaction(self, found: Mapping[str, RightAnswers]) -> Mean:
        each = {axis: self._differences(answers, self.known) for axis, answers in found.items()}
        whole, cluster = each.pop(WHOLE)
        return as_mean(clustered(whole - sum(difference for difference, _ in each.values()), cluster))

    def _left_out(self) -> Iterator[str]:
        tasks = {plan.name for plan in self.evaluation.plans} - set(self.answers.task[self.known])
        if tasks:
            yield f"No right answer is known of {', '.join(sorted(tasks))}."


def _answers(asked: Evaluation, checkpoint: Checkpoint, name: str, watcher: DivergenceWatcher) -> RightAnswers:
    watcher.begins(f"scoring {name}", "tokens")
    tokens, done = sum(plan.tokens for plan in asked.plans), 0

    def told(more: int) -> None:
        nonlocal done
        done += more
        watcher.advanced(done, tokens)

    with closing(open_backend(checkpoint, asked.backend, asked.request.options)) as backend:
        return right_answers(asked.plans, backend, told)


def _words(plan: Plan, axis: str) -> str:
    """What becomes of the axis; of a whole plan, of each that it cuts."""
    shape, parent = plan.shape, plan.parent.dims
    values: dict[str, tuple[int, Sequence[int]]] = {
        "hidden": (parent.hidden_size, (shape.hidden,)),
        "ffn": (parent.ffn_hidden_size, shape.ffn),
        "heads": (parent.num_attention_heads, shape.heads),
    }
    if axis == WHOLE:
        return ", ".join(f"{each} {_words(plan, each)}" for each in cut_axes(plan))
    if axis == "layers":
        return f"{parent.num_layers} → {shape.num_layers} (without {as_runs(shape.drop)})"
    before, after = values[axis]
    low, high = min(after), max(after)
    return f"{before} → {low}" if low == high else f"{before} → {low} to {high}"


def _mean(values: Any) -> float | None:
    """The mean; None where not every item has a value."""
    return float(values.mean()) if np.isfinite(values).all() else None
