"""The registry's published scores under the names that a measurement of the same would have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from harness.metrics.task_metadata import TaskMetadata, described, metadata_of
from zoo.registry.loader import PublishedScore, Registry, same_figure

UNIT_OF = {"percent": 100.0, "fraction": 1.0, "points": 1.0}
"""What a printed figure is divided by to stand in the metric's own unit."""


@dataclass(frozen=True)
class Expected:
    """A published score as what `task` should score. None is what the source does not say.

    `value` and `rounding` (half of the last printed digit) are in the metric's own unit, `printed` is as printed.
    """

    model: str
    task: str
    metric: str | None
    filter: str | None
    shots: int | None
    value: float
    rounding: float
    printed: float
    scale: str
    items: int | None
    subset: str | None
    samples_each: int | None
    temperature: float | None
    top_p: float | None
    revision: str | None
    protocol: str
    origin: str


def expected_scores(registry: Registry, model: str | None = None) -> list[Expected]:
    """Every published score of the registry (or of one model), once for each task that measures it."""
    tasks = {task: metadata_of(task) for task in described()}
    measuring: dict[str, list[str]] = {}
    for task, facts in tasks.items():
        measuring.setdefault(facts.published or task, []).append(task)
    return [
        _expected(name, _completed(score, entry.published_scores), task, tasks.get(task, TaskMetadata()), registry)
        for name, entry in registry.models.items()
        if model in (None, name)
        for score in entry.published_scores
        for task in measuring.get(score.task, [score.task])
    ]


def closest_published(
    expected: Sequence[Expected], task: str, metric: str | None, shots: int | None
) -> Expected | None:
    """The published score of the same task, metric and shots, the most precisely printed one; None where there is none."""
    same = [e for e in expected if e.task == task and e.shots == shots and e.metric in (metric, None)]
    return min(same, key=lambda e: e.rounding, default=None)


def documents_of(registry: Registry, task: str) -> int | None:
    """Documents of the whole benchmark, by the registry or by what is known of the task."""
    facts = metadata_of(task)
    benchmark = registry.benchmarks.get(facts.published or task)
    return (benchmark.items if benchmark else None) or facts.documents


def _completed(score: PublishedScore, others: Sequence[PublishedScore]) -> PublishedScore:
    """A score with what its source leaves unsaid taken from a source that prints the same figure with the same shots."""
    twins = [o for o in others if (o.task, o.shots) == (score.task, score.shots) and same_figure(o, score)]
    silent = [name for name in ("metric", "filter", "decoding", "subset") if getattr(score, name) is None]
    said = {name: next((value for o in twins if (value := getattr(o, name)) is not None), None) for name in silent}
    return replace(score, **said)


def _expected(model: str, score: PublishedScore, task: str, facts: TaskMetadata, registry: Registry) -> Expected:
    unit = UNIT_OF[score.unit]
    decoding = score.decoding
    return Expected(
        model=model,
        task=task,
        metric=facts.words.get(score.metric, score.metric) if score.metric else None,
        filter=score.filter,
        shots=score.shots,
        value=score.value / unit,
        rounding=_half_digit(score.value) / unit,
        printed=score.value,
        scale=score.scale,
        items=documents_of(registry, task),
        subset=score.subset,
        samples_each=decoding.n if decoding else None,
        temperature=decoding.temperature if decoding else None,
        top_p=decoding.top_p if decoding else None,
        revision=score.revision,
        protocol=score.protocol,
        origin=score.source_id,
    )


def _half_digit(value: float) -> float:
    """Half a unit of the last digit: 80.4 → 0.05. A whole number counts as printed to one decimal, as all tables here are."""
    return float(Decimal(1).scaleb(int(Decimal(repr(float(value))).as_tuple().exponent)) / 2)
