"""Checks of claims that are more than one line of arithmetic: best of all, comparable, statements, shots, scores.

Whether a lead is resolved rests on an upper bound: a score in [0, 1] over n items has a standard error of at most
√(p(1−p)/n), whatever the items score (Bhatia–Davis), so a lead beyond Z of the two errors together is real; one
below it is only not shown by its size. Pairing by item, which no table allows, could resolve more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from zoo.confidence import Z
from zoo.errors import InvalidRegistry, UnknownModel, UnknownName
from zoo.names import closest
from zoo.registry.loader import ComparedRow, Model, PublishedScore, Registry, same_figure
from zoo.registry.statements import actual_value, agrees
from zoo.strict import Slug, Strict, Text


@dataclass(frozen=True)
class Measured:
    """A measured score compared with a published one: value and 95 % interval in the metric's own unit.

    `verdict` is the store's ("reproduced", "differs", "not resolved", "not comparable"), `reason` what belongs to it,
    `origin` the source whose figure it was compared with.
    """

    metric: str
    filter: str | None
    value: float
    lower: float | None
    upper: float | None
    n: int
    run_id: str
    verdict: str | None
    reason: str | None = None
    origin: str | None = None


@dataclass(frozen=True)
class ClaimStep:
    """One number of a claim: `agrees` is None where it only informs; `measured` is the record it was compared with."""

    label: str
    value: float | None
    text: str
    agrees: bool | None
    counts: bool = False
    formula: str | None = None
    measured: Measured | None = None


class BestOn(Strict):
    """Best of all on every task: against the models of the claim's own table, then against those it leaves out."""

    type: Literal["best_on"]
    model: Slug
    source: Slug
    peers: Annotated[tuple[Slug, ...], Field(min_length=1)]
    left_out: dict[Slug, Slug] = Field(
        default_factory=dict[Slug, Slug], description="Model → the source of its scores."
    )


class ComparableWith(Strict):
    """Comparable with others, read as: behind by more than the sizes leave open on fewer than half of the tasks."""

    type: Literal["comparable_with"]
    model: Slug
    source: Slug
    peers: Annotated[tuple[Slug, ...], Field(min_length=1)]


class Stated(Strict):
    """Statements of one source, of the named fields, against the entries."""

    type: Literal["stated"]
    source: Slug
    fields: Annotated[tuple[Text, ...], Field(min_length=1)]


class ShotLabels(Strict):
    """Figures that a card labels with one number of shots, compared with the sources that print the same figures."""

    type: Literal["shot_labels"]
    model: Slug
    source: Slug
    labelled: Annotated[int, Field(ge=0)]


class PublishedScores(Strict):
    """A source's scores of a model, each to be measured."""

    type: Literal["published_scores"]
    model: Slug
    source: Slug


Analysis = Annotated[BestOn | ComparableWith | Stated | ShotLabels | PublishedScores, Field(discriminator="type")]
Measurements = Callable[[str, PublishedScore], Sequence[Measured]]
"""(model, published score of it) → the measured scores that were compared with that figure."""
Chosen = TypeVar("Chosen")
Scores = Mapping[str, PublishedScore]


def run_analysis(analysis: Analysis, registry: Registry, measured: Measurements) -> Sequence[ClaimStep]:
    """The steps of one analysis. Raises UnknownModel, UnknownName or InvalidRegistry for what it cannot find."""
    match analysis:
        case BestOn():
            return tuple(_best_on(analysis, registry))
        case ComparableWith():
            return tuple(_comparable_with(analysis, registry))
        case Stated():
            return tuple(_stated(analysis, registry))
        case ShotLabels():
            return tuple(_shot_labels(analysis, registry))
        case PublishedScores():
            return tuple(_published(analysis, registry, measured))


def resolvable_lead(a: float, b: float, items: int) -> float:
    """The least difference in percent that two independent scores near `a` and `b` percent show at 95 % (bound)."""
    return 100 * Z * math.sqrt(sum(p / 100 * (1 - p / 100) for p in (a, b)) / items)


def _best_on(claim: BestOn, registry: Registry) -> Iterator[ClaimStep]:
    own = _scores(registry, claim.model, claim.source)
    table = {peer: _scores(registry, peer, claim.source) for peer in claim.peers}
    yield _lead(f"best on every task among {', '.join(claim.peers)}, in the same table", own, table)
    if claim.left_out:
        others = {name: _scores(registry, name, source) for name, source in claim.left_out.items()}
        yield replace(_lead(f"with {', '.join(others)} admitted, by their own sources", own, others), counts=True)
    told: dict[str, tuple[bool, str]] = {}
    for task, score in own.items():
        values = [scores[task].value for scores in table.values() if task in scores]
        if values:
            told[task] = _resolved(registry, task, score.value, max(values))
    clear = sum(resolved for resolved, _ in told.values())
    yield ClaimStep(
        "leads over the next best that the benchmarks' sizes resolve (95 %, unpaired; lead and what is needed)",
        float(clear), f"{clear} of {len(told)}: " + ", ".join(f"{task} {text}" for task, (_, text) in told.items()),
        clear == len(told), counts=True,
    )  # fmt: skip


def _lead(label: str, own: Scores, others: Mapping[str, Scores]) -> ClaimStep:
    """On how many of the tasks that others have too, no other model is better."""
    shared = [task for task in own if any(task in theirs for theirs in others.values())]
    better = {
        task: [f"{name} {theirs[task].value:g}" for name, theirs in others.items()
               if task in theirs and theirs[task].value > own[task].value]
        for task in shared
    }  # fmt: skip
    lost = [f"{task} {own[task].value:g} < {', '.join(names)}" for task, names in better.items() if names]
    text = f"{len(shared) - len(lost)} of {len(shared)}" + (f" ({'; '.join(lost)})" if lost else "")
    return ClaimStep(label, float(len(shared) - len(lost)), text, not lost)


def _resolved(registry: Registry, task: str, a: float, b: float) -> tuple[bool, str]:
    """Whether the benchmark's size tells `a` from `b` (percent), and that in words."""
    benchmark = registry.benchmarks.get(task)
    if benchmark is None or benchmark.items is None:
        return False, f"{a - b:+.2f} (size unknown)"
    need = resolvable_lead(a, b, benchmark.items)
    return abs(a - b) > need, f"{a - b:+.2f} ({'>' if abs(a - b) > need else '≤'} {need:.2f})"


def _comparable_with(claim: ComparableWith, registry: Registry) -> Iterator[ClaimStep]:
    own = _scores(registry, claim.model, claim.source)
    for peer in claim.peers:
        theirs = _scores(registry, peer, claim.source)
        leads: list[str] = []
        trails: list[str] = []
        for task in own.keys() & theirs.keys():
            gap = own[task].value - theirs[task].value
            if _resolved(registry, task, own[task].value, theirs[task].value)[0]:
                (leads if gap > 0 else trails).append(f"{task} {gap:+.1f}")
        gaps = [own[task].value - theirs[task].value for task in own if task in theirs]
        mean = sum(gaps) / len(gaps)
        within = len(gaps) - len(leads) - len(trails)
        text = (
            f"mean {mean:+.1f} points over {len(gaps)} tasks; {within} not resolved or of unknown size"
            f"{', ahead on ' + ', '.join(sorted(leads)) if leads else ''}"
            f"{', behind on ' + ', '.join(sorted(trails)) if trails else ''}"
        )
        yield ClaimStep(f"against {peer}", mean, text, 2 * len(trails) < len(gaps), counts=True)


def _stated(claim: Stated, registry: Registry) -> Iterator[ClaimStep]:
    told = [
        (model, said)
        for model in registry.models.values()
        for said in model.stated
        if said.source == claim.source and said.field in claim.fields
    ]
    if not told:
        raise InvalidRegistry(
            f"{claim.source} states nothing about {', '.join(claim.fields)}.", "Add it to registry.yaml."
        )
    for model, said in told:
        actual = actual_value(model, said.field)
        shown = f"{actual:,}" if isinstance(actual, int) else actual
        text = f"says {said.value}; the entry has {shown}"
        yield ClaimStep(
            f"{model.id}, {said.field}", actual if isinstance(actual, int) else None, text, agrees(said, model)
        )


def _shot_labels(claim: ShotLabels, registry: Registry) -> Iterator[ClaimStep]:
    model = _find(registry.models, "model", claim.model)
    card = _scores(registry, claim.model, claim.source)
    for task, labelled in card.items():
        for score in model.published_scores:
            twin = score.task == task and score.source.copy_of is None and score.source_id != claim.source
            if twin and same_figure(score, labelled) and score.shots is not None and labelled.shots == claim.labelled:
                text = f"{labelled.value:g}, labelled {labelled.shots}-shot; {score.shots}-shot in {score.source_id}"
                yield ClaimStep(task, labelled.value, text, score.shots == labelled.shots, counts=True)


def _published(claim: PublishedScores, registry: Registry, measured: Measurements) -> Iterator[ClaimStep]:
    for task, score in _scores(registry, claim.model, claim.source).items():
        text = f"published {score.value:g}"
        rows = measured(claim.model, score)
        if not rows:
            yield ClaimStep(task, score.value, text, None)
        for row in rows:
            agrees_with = {"reproduced": True, "differs": False}.get(row.verdict or "")
            yield ClaimStep(task, score.value, f"{text}; {_as_words(row)}", agrees_with, measured=row)


def _as_words(row: Measured) -> str:
    name = row.metric if row.filter in (None, "none") else f"{row.metric}, {row.filter}"
    interval = f" [{row.lower:.4f}, {row.upper:.4f}]" if row.lower is not None and row.upper is not None else ""
    verdict = f": {row.verdict}" if row.verdict else ""
    reason = f" ({row.reason})" if row.reason else ""
    return f"measured {row.value:.4f}{interval} ({name}) on {row.n} items (run {row.run_id}){verdict}{reason}"


def _scores(registry: Registry, name: str, source: str) -> dict[str, PublishedScore]:
    """task → score of a model, or of a compared row, in one source."""
    rows: dict[str, Model | ComparedRow] = {**registry.models, **registry.compared}
    row = _find(rows, "model", name)
    _find(registry.sources, "source", source)
    scores = {score.task: score for score in row.published_scores if score.source_id == source}
    if not scores:
        raise InvalidRegistry(f"'{name}' has no scores in {source}.", "Name a source that has some.")
    return scores


def _find(known: Mapping[str, Chosen], kind: str, name: str) -> Chosen:
    if name not in known:
        cause = UnknownModel if kind == "model" else UnknownName
        near = closest(name, known)
        raise cause(f"There is no {kind} '{name}'.", f"Did you mean '{near}'?" if near else "")
    return known[name]
