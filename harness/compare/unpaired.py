"""lm-eval's own comparison, shown beside: two scores as if of different documents (its scripts/model_comparator.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.aggregates import MEAN, aggregate_of
from harness.compare.items import TaskResult
from harness.records.derived import estimate


@dataclass(frozen=True)
class Unpaired:
    """z = (B - A)/√(stderr_A² + stderr_B²) over all documents that each side ran, and its two-sided normal p."""

    z: float
    p_value: float


def unpaired(a: TaskResult, b: TaskResult, leaves: Sequence[tuple[TaskResult, TaskResult]] = ()) -> Unpaired | None:
    """Compare two recorded scores; `leaves` are the tasks of a group. None where one has no value or no error."""
    ours = stderr(a, [pair[0] for pair in leaves])
    theirs = stderr(b, [pair[1] for pair in leaves])
    if a.score.value is None or b.score.value is None or ours is None or theirs is None or not ours + theirs:
        return None
    z = (b.score.value - a.score.value) / math.hypot(ours, theirs)
    return Unpaired(z, math.erfc(abs(z) / math.sqrt(2)))


def stderr(result: TaskResult, leaves: Sequence[TaskResult] = ()) -> float | None:
    """lm-eval's standard error: s/√n of a mean whatever its documents share, pooled over a group's tasks; else the recorded."""
    if leaves:
        return _pooled(leaves)
    if result.items is None or aggregate_of(result.items, result.score.value) is not MEAN:
        return estimate(result.score).stderr
    import numpy as np

    values = result.items.value[np.isfinite(result.items.value)]
    return float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None


def _pooled(leaves: Sequence[TaskResult]) -> float | None:
    """lm-eval's `pooled_sample_stderr`: √(Σ(nₖ - 1)·nₖ·seₖ²/(N - K)/N) for K tasks of N documents."""
    errors = [stderr(leaf) for leaf in leaves]
    sizes = [leaf.score.n for leaf in leaves]
    freedom = sum(sizes) - len(sizes)
    if freedom <= 0 or any(error is None for error in errors):
        return None
    squares = math.fsum((n - 1) * n * (error or 0.0) ** 2 for n, error in zip(sizes, errors, strict=True))
    return math.sqrt(squares / freedom / sum(sizes))
