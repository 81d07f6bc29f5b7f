"""The tasks of a checkpoint as numbers: what a command passes to the zoo to steer a training run by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.accuracy.downstream import CandidateWatcher
from harness.accuracy.prepare import DocumentRules, EvalRequest
from harness.accuracy.run import prepared, run
from harness.metrics.task_metadata import UNIT_INTERVAL_METRICS
from harness.suites.suite import TaskSelection
from zoo.errors import TaskFailed

if TYPE_CHECKING:
    from backends.contract import Options
    from harness.records.record import MetricScore, Record


@dataclass(frozen=True)
class Measured:
    """What each checkpoint is measured by, what runs it, and where its records go."""

    selection: TaskSelection
    options: Options
    results: Path
    name: str
    """What results call the run; a checkpoint is called by it and its step."""
    parent: str | None = None
    limit: int | None = None
    data: Path | None = None


@dataclass(frozen=True)
class CheckpointScores:
    """The first metric of each task that could be scored, and one number that is higher for a better checkpoint.

    That is the mean of the metrics that lie between 0 and 1; where there is none, minus the mean of those that are better
    lower, such as perplexities. `by` says which of the two.
    """

    tasks: Mapping[str, float]
    overall: float
    by: str
    digest: str
    """Of the weights that were measured, as the records have it."""
    failed: Mapping[str, str] = field(default_factory=dict[str, str])
    """Task → why it has no score."""


def check_measurable(measured: Measured, model: str) -> None:
    """Raise what would refuse the tasks, with this model in the checkpoints' place, before hours of training.

    No weight is read. Raises what `harness.accuracy.run.prepared` raises.
    """
    prepared(_request(measured, model, None), measured.results)


def checkpoint_scorer(
    measured: Measured, watcher: CandidateWatcher | None = None
) -> Callable[[Path, int], CheckpointScores]:
    """A function from a checkpoint's folder and its step to its scores; each call leaves records in the results folder.

    Raises TaskFailed where no task could be scored, and what `harness.accuracy.run.run` raises.
    """

    def score(folder: Path, step: int) -> CheckpointScores:
        request = _request(measured, str(folder), f"{measured.name}@{step}")
        return _scores(run(request, measured.results, watcher=watcher).records)

    return score


def _request(measured: Measured, model: str, name: str | None) -> EvalRequest:
    return EvalRequest(
        model,
        name=name,
        parent=measured.parent if name else None,
        selection=measured.selection,
        options=measured.options,
        rules=DocumentRules(measured.limit),
        data=measured.data,
    )


def _scores(records: list[Record]) -> CheckpointScores:
    first = {record.task: record.scores[0] for record in records if record.status == "ok" and record.scores}
    values = {task: score.value for task, score in first.items() if score.value is not None}
    failed = {record.task: record.reason or "no finite value" for record in records if record.task not in values}
    if not values:
        told = "; ".join(f"{task}: {why}" for task, why in failed.items()).rstrip(".")
        raise TaskFailed(f"No task of the checkpoint could be scored ({told}).", "Take another suite.")
    overall, by = _overall({task: first[task] for task in values}, values)
    return CheckpointScores(values, overall, by, records[0].subject.weights_digest, failed)


def _overall(first: Mapping[str, MetricScore], values: Mapping[str, float]) -> tuple[float, str]:
    shares = [values[task] for task, score in first.items() if score.metric in UNIT_INTERVAL_METRICS]
    if shares:
        return sum(shares) / len(shares), f"mean of {len(shares)} tasks"
    lower = [values[task] for task, score in first.items() if score.higher_is_better is False]
    if lower:
        return -sum(lower) / len(lower), f"mean of {len(lower)} tasks, lower is better"
    return sum(values.values()) / len(values), f"mean of {len(values)} tasks"
