"""What a comparison rests on: the documents in common, with what each side's metric gave them, in columns of one length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from harness.compare.aggregates import Aggregate, aggregate_of, is_weighted, terms
from harness.compare.conditions import other_conditions, other_data
from harness.compare.items import Items, TaskResult
from harness.compare.pairing import Paired, paired_items

NO_SAMPLES = (
    "the samples of {} are not there, and without them nothing is paired (lm-eval keeps them with --log_samples)"
)


@dataclass(frozen=True)
class Evidence:
    """Documents in common of a task, or of a group's tasks together. Numpy arrays."""

    way: Aggregate
    a: Any
    b: Any
    """float64: each side's term of the metric's mean (a log-likelihood a unit of weight, where the metric is made of those)."""
    weights: Any
    """float64: of each document in that mean; their sum is 1."""
    clusters: Any
    """object (str): the unit that a document shares with others; None where every document is its own."""
    gold_a: Any
    gold_b: Any
    """float64: Σ log p of the right answer in nats; NaN where it is not known."""
    task: Any
    """object (str): the leaf task."""
    position: Any
    """int64: the right answer's place among the choices; -1 where that is not known."""
    length: Any
    """int64: characters of the longest request; -1 where that is not known."""
    place_a: Any
    place_b: Any
    """int64: where the document stands in the items of its task, of either side."""
    sources: Mapping[str, tuple[Items, Items]]
    """Leaf task → the items of A and of B."""
    only_a: int = 0
    only_b: int = 0
    valueless: int = 0
    """Documents left out because the metric does not count them on one side or both."""
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.a)

    @property
    def is_binary(self) -> bool:
        """Whether every value is 0 or 1."""
        return bool(((self.a == 0) | (self.a == 1)).all() and ((self.b == 0) | (self.b == 1)).all())

    @property
    def in_unit_interval(self) -> bool:
        """Whether every value lies between 0 and 1, as a share does, and is no log-likelihood."""
        both = (self.a, self.b)
        return not self.way.likelihood and all(bool(((side >= 0) & (side <= 1)).all()) for side in both)

    @property
    def is_even(self) -> bool:
        """Whether every document counts alike."""
        return bool(abs(self.weights * len(self) - 1).max(initial=0.0) < 1e-9)

    def where(self, mask: Any) -> Evidence:
        """The documents that the mask takes, their weights summing to 1 again."""
        columns: dict[str, Any] = {name: value[mask] for name, value in self.columns().items()}
        columns["weights"] = columns["weights"] / columns["weights"].sum()
        return replace(self, **columns)

    def columns(self) -> dict[str, Any]:
        """The arrays, by name."""
        import numpy as np

        values = {column.name: getattr(self, column.name) for column in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def evidence_of(a: TaskResult, b: TaskResult) -> Evidence | str:
    """The documents in common of one task, each counting alike (or by its weight); or why they must not be compared."""
    if refused := other_conditions(a.record, b.record):
        return refused
    if a.items is None or b.items is None:
        sides = " and ".join(name for name, side in (("A", a), ("B", b)) if side.items is None)
        return NO_SAMPLES.format(sides)
    paired = paired_items(a.items, b.items)
    if refused := paired.refused or other_data(a, b, paired):
        return refused
    ways = [aggregate_of(side, result.score.value) for side, result in ((a.items, a), (b.items, b))]
    if ways[0] is None or ways[0] != ways[1]:
        return _no_way(a, b, ways)
    return _evidence(a, b, a.items, b.items, paired, ways[0])


def joined(parts: Sequence[Evidence], weights: Sequence[float]) -> Evidence:
    """Several tasks' documents together, each task with its weight, its documents alike inside it."""
    import numpy as np

    first = parts[0]
    listed = [part.columns() for part in parts]
    columns: dict[str, Any] = {
        name: np.concatenate([each[name] for each in listed]) for name in first.columns() if name != "clusters"
    }
    shares = [part.weights * weight for part, weight in zip(parts, weights, strict=True)]
    whole = np.concatenate(shares)
    clusters = None
    if any(part.clusters is not None for part in parts):
        clusters = np.concatenate([_own_clusters(part) for part in parts])
    return replace(
        first,
        **columns | {"weights": whole / whole.sum(), "clusters": clusters},
        sources={task: pair for part in parts for task, pair in part.sources.items()},
        only_a=sum(part.only_a for part in parts),
        only_b=sum(part.only_b for part in parts),
        valueless=sum(part.valueless for part in parts),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _own_clusters(part: Evidence) -> Any:
    """Names of units that no other task has."""
    import numpy as np

    names = range(len(part)) if part.clusters is None else part.clusters
    return np.array([f"{task}\n{name}" for task, name in zip(part.task, names, strict=True)], dtype=object)


def _no_way(a: TaskResult, b: TaskResult, ways: Sequence[Aggregate | None]) -> str:
    for name, result, way in (("A", a, ways[0]), ("B", b, ways[1])):
        if result.score.value is None:
            return f"{a.key.metric} of {name} has no finite value"
        if way is None:
            return (
                f"{a.key.metric} of {name} is no mean over single documents "
                "(or its samples are not those of its score), so it cannot be paired"
            )
    return (
        f"{a.key.metric} was made of the documents in two ways: {ways[0] and ways[0].name}, {ways[1] and ways[1].name}"
    )


def _evidence(
    a: TaskResult, b: TaskResult, ours: Items, theirs: Items, paired: Paired, way: Aggregate
) -> Evidence | str:
    import numpy as np

    has_weights = is_weighted(ours)
    values_a, weights = terms(ours, has_weights)
    values_b, weights_b = terms(theirs, has_weights)
    at_a, at_b = paired.a, paired.b
    if not np.array_equal(weights[at_a], weights_b[at_b]):
        return f"{a.key.metric} weighs the same documents differently on the two sides"
    there = np.isfinite(values_a[at_a]) & np.isfinite(values_b[at_b])
    at_a, at_b = at_a[there], at_b[there]
    if not len(at_a):
        return f"{a.key.metric} counts none of the documents in common"
    clusters, notes = _clusters(a, b, ours, theirs, at_a, at_b)
    return Evidence(
        way=way,
        a=values_a[at_a],
        b=values_b[at_b],
        weights=weights[at_a] / weights[at_a].sum(),
        clusters=clusters,
        gold_a=ours.gold_logprob[at_a],
        gold_b=theirs.gold_logprob[at_b],
        task=np.full(len(at_a), a.key.task, dtype=object),
        position=np.maximum(ours.gold[at_a], theirs.gold[at_b]),
        length=np.maximum(ours.length[at_a], theirs.length[at_b]),
        place_a=at_a,
        place_b=at_b,
        sources={a.key.task: (ours, theirs)},
        only_a=paired.only_a,
        only_b=paired.only_b,
        valueless=int((~there).sum()),
        notes=notes,
    )


def _clusters(
    a: TaskResult, b: TaskResult, ours: Items, theirs: Items, at_a: Any, at_b: Any
) -> tuple[Any, tuple[str, ...]]:
    """The units of the documents, None where each is its own; a note where it is known that some share one but not which."""
    import numpy as np

    told = [side.cluster[at] for side, at in ((ours, at_a), (theirs, at_b))]
    known = next((names for names in told if all(name is not None for name in names)), None)
    if known is not None:
        shared = len(set(known)) < len(known)
        return (np.asarray(known, dtype=object) if shared else None), ()
    counted = [result.score for result in (a, b) if result.score.clusters and result.score.clusters < result.score.n]
    told_not = (
        "which documents share a source was not recorded: they are taken as independent, which errs on the small side"
    )
    return None, (told_not,) if counted else ()
