"""Groups of tasks, such as MMLU's subjects: their documents together, each task with the weight that it has in the group."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from harness.compare.aggregates import SAME
from harness.compare.evidence import Evidence, evidence_of, joined
from harness.compare.items import ScoreKey, Side, TaskResult
from harness.compare.task import Pair, TaskComparison, compare_task, compared, refused_row
from harness.stats.sufficient import StrataStatistics


def compare_key(a: Side, b: Side, key: ScoreKey) -> TaskComparison:
    """One metric of a task or a group on two sides; a refused row where one of them does not have it."""
    ours, theirs = a.results.get(key), b.results.get(key)
    if ours is None or theirs is None:
        lacking = " and ".join(name for name, result in (("A", ours), ("B", theirs)) if result is None)
        return refused_row(ours, theirs, key, f"{lacking} has no {key.metric} ({key.filter})")
    if not ours.record.members and not theirs.record.members:
        return compare_task(ours, theirs)
    return _compare_group(a, b, ours, theirs)


def group_results(side: Side, key: ScoreKey) -> list[TaskResult]:
    """What a group is made of: that metric and filter of each of its tasks that the side has, in the group's order."""
    members = side.results[key].record.members
    found = (side.results.get(ScoreKey(task, key.metric, key.filter)) for task in members)
    return [result for result in found if result is not None]


def group_weights(group: TaskResult, leaves: Sequence[TaskResult]) -> list[float] | None:
    """Each task's weight in the group's number; None where it is no weighted mean of theirs.

    A way of weighing is believed where it gives the recorded number: the record's own strata, else by documents of the whole
    task or by those that were run (lm-eval's `weight_by_size`), else alike.
    """
    values = [leaf.score.value for leaf in leaves]
    if group.score.value is None or not values or any(value is None for value in values):
        return None
    for way in WAYS:
        weights = way(group, leaves)
        if not weights or len(weights) != len(leaves):
            continue
        shares = [weight / sum(weights) for weight in weights]
        made = math.fsum(share * (value or 0.0) for share, value in zip(shares, values, strict=True))
        if math.isclose(made, group.score.value, rel_tol=SAME, abs_tol=SAME):
            return shares
    return None


def _compare_group(a: Side, b: Side, ours: TaskResult, theirs: TaskResult) -> TaskComparison:
    leaves_a, leaves_b = group_results(a, ours.key), group_results(b, ours.key)
    leaves: list[Pair] = []
    why = _incomplete(ours, theirs, leaves_a, leaves_b)
    if why is None:
        by_task = {leaf.key.task: leaf for leaf in leaves_b}
        leaves = [(leaf, by_task[leaf.key.task]) for leaf in leaves_a]
        why = _other_weights(ours, theirs, leaves)
    return compared(ours, theirs, why or _evidence(ours, leaves), leaves)


def _incomplete(a: TaskResult, b: TaskResult, ours: Sequence[TaskResult], theirs: Sequence[TaskResult]) -> str | None:
    if set(a.record.members) != set(b.record.members):
        unlike = set(a.record.members) ^ set(b.record.members)
        return f"the group has other tasks on the two sides ({len(unlike):,}, such as {min(unlike)})"
    for name, found in (("A", ours), ("B", theirs)):
        missing = set(a.record.members) - {leaf.key.task for leaf in found}
        if missing:
            lost = f"{len(missing):,} of {len(a.record.members):,} tasks of the group have no {a.key.metric}"
            return f"{lost} on {name} (such as {min(missing)})"
    return None


def _other_weights(a: TaskResult, b: TaskResult, leaves: Sequence[Pair]) -> str | None:
    ours = group_weights(a, [pair[0] for pair in leaves])
    theirs = group_weights(b, [pair[1] for pair in leaves])
    for name, weights in (("A", ours), ("B", theirs)):
        if weights is None:
            return f"{a.key.metric} of {name} is no weighted mean of the group's tasks, so it cannot be paired"
    if not all(math.isclose(*pair, rel_tol=SAME, abs_tol=SAME) for pair in zip(ours or (), theirs or (), strict=True)):
        return "the group weighs its tasks differently on the two sides"
    return None


def _evidence(group: TaskResult, leaves: Sequence[Pair]) -> Evidence | str:
    found = [evidence_of(*pair) for pair in leaves]
    refused = [f"{pair[0].key.task}: {why}" for pair, why in zip(leaves, found, strict=True) if isinstance(why, str)]
    if refused:
        more = f" (and {len(refused) - 1:,} more of its {len(leaves):,} tasks)" if len(refused) > 1 else ""
        return refused[0] + more
    parts = [one for one in found if not isinstance(one, str)]
    if len({part.way.name for part in parts}) > 1:
        return f"{group.key.metric} is made of the documents in several ways in the group"
    return joined(parts, group_weights(group, [pair[0] for pair in leaves]) or [])


Way = Callable[[TaskResult, Sequence[TaskResult]], list[float]]


def _by_strata(group: TaskResult, _leaves: Sequence[TaskResult]) -> list[float]:
    known = group.score.statistics
    return [stratum.weight for stratum in known.strata] if isinstance(known, StrataStatistics) else []


WAYS: tuple[Way, ...] = (
    _by_strata,
    lambda _, leaves: [float(leaf.score.total or leaf.score.n) for leaf in leaves],
    lambda _, leaves: [float(leaf.score.n) for leaf in leaves],
    lambda _, leaves: [1.0] * len(leaves),
)
