"""What re-runs of identical code changed, task by task: flips both ways, and the right answer's log-probability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.compare.groups import compare_key
from harness.compare.items import ScoreKey, Side
from harness.compare.primary import keys_of_task, primary_key
from harness.gates.noise.file import GoldNoise, TaskNoise
from zoo.errors import TaskFailed

CONFIDENCE = 0.95


@dataclass(frozen=True)
class _Seen:
    """One re-run of one task."""

    n: int
    lost: int
    gained: int
    difference: float
    sd: float
    gold: Any
    """Differences of gold log-probability, nats; of the documents that have one."""


def noise_of(reference: Side, reruns: Sequence[Side]) -> list[TaskNoise]:
    """A row a task, a group's leaves with it as one, over the re-runs that ran it.

    Raises TaskFailed where one of those has no number of it, or other documents.
    """
    leaves = {leaf for result in reference.results.values() for leaf in result.record.members}
    tasks = [task for task in dict.fromkeys(key.task for key in reference.results) if task not in leaves]
    found: list[TaskNoise] = []
    for task in tasks:
        keys = keys_of_task(reference, task)
        key = primary_key(reference.results[keys[0]].record, keys)
        seen = [_seen(reference, rerun, key) for rerun in reruns if key and task in tasks_of(rerun)]
        if key is not None and seen:
            found.append(_task(key, seen))
    return found


def tasks_of(side: Side) -> set[str]:
    """The tasks that a side ran, whatever came of them."""
    return {key.task for key in side.results} | set(side.failed)


def _seen(reference: Side, rerun: Side, key: ScoreKey) -> _Seen:
    if key not in rerun.results:
        why = rerun.failed[key.task].reason if key.task in rerun.failed else "it has no record of it"
        raise TaskFailed(f"{key.task} has no {key.metric} in {rerun.where}: {why}.", "Nothing can be calibrated by it.")
    compared = compare_key(reference, rerun, key)
    evidence = compared.evidence
    if evidence is None:
        raise TaskFailed(f"{key.task} of {rerun.where} does not pair with the first run: {compared.refused}.")
    change = evidence.b - evidence.a
    gold = evidence.gold_b - evidence.gold_a
    return _Seen(
        n=len(evidence),
        lost=int((change < 0).sum()),
        gained=int((change > 0).sum()),
        difference=float((evidence.weights * change).sum()),
        sd=float(change.std(ddof=1)) if len(change) > 1 else 0.0,
        gold=gold[np.isfinite(gold)],
    )


def _task(key: ScoreKey, seen: Sequence[_Seen]) -> TaskNoise:
    changed = [run.lost + run.gained for run in seen]
    worst = max(changed)
    n = seen[0].n
    return TaskNoise(
        task=key.task,
        metric=key.metric,
        filter=key.filter,
        documents=n,
        runs=len(seen),
        lost=sum(run.lost for run in seen),
        gained=sum(run.gained for run in seen),
        discordance=sum(changed) / (n * len(seen)),
        highest=worst / n,
        upper=upper_end(worst, n),
        largest_difference=max((run.difference for run in seen), key=abs),
        sd=math.sqrt(sum(run.sd**2 for run in seen) / len(seen)),
        gold=_gold([run.gold for run in seen]),
    )


def _gold(runs: Sequence[Any]) -> GoldNoise | None:
    if min(len(run) for run in runs) < 2:
        return None
    means = [float(run.mean()) for run in runs]
    return GoldNoise(
        documents=len(runs[0]),
        mean=sum(means) / len(means),
        lowest_mean=min(means),
        highest_mean=max(means),
        sd=math.sqrt(sum(float(run.var(ddof=1)) for run in runs) / len(runs)),
        largest=max(float(np.abs(run).max()) for run in runs),
    )


def upper_end(changed: int, n: int) -> float:
    """The one-sided 95 % upper end of a share (Clopper and Pearson, Biometrika 1934, 26:404)."""
    from scipy.stats import beta

    return float(beta.ppf(CONFIDENCE, changed + 1, n - changed)) if changed < n else 1.0
