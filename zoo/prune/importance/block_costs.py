"""What a downstream score loses without each block of layers; every value is kept as it comes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.files import write_atomically
from zoo.prune.indices import as_runs
from zoo.prune.progress import ProgressCallback

Score = Callable[[Sequence[int]], float]
"""Takes the kept layers; gives the task's value (higher is better)."""


def remembered(score: Score, work: Path, key: str) -> Score:
    """`score`, whose values are kept in `work` under `key` (what it measures, of which parent): none is computed twice."""
    file = work / f"scores-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    found: dict[str, float] = json.loads(file.read_text()) if file.is_file() else {}

    def once(kept: Sequence[int]) -> float:
        name = as_runs(kept)
        if name not in found:
            found[name] = score(kept)
            work.mkdir(parents=True, exist_ok=True)
            write_atomically(file, json.dumps(found).encode())
        return found[name]

    return once


def block_costs(
    layers: int, length: int, score: Score, progress: ProgressCallback | None = None
) -> tuple[float, NDArray[np.float64]]:
    """The whole model's score, and `task.N` [layers − N + 1]: how much it falls without each block of N = `length` layers.

    From arXiv 2408.11796 §"Depth".
    """
    starts = range(layers - length + 1)
    candidates = [range(layers), *([i for i in range(layers) if not first <= i < first + length] for first in starts)]
    values: list[float] = []
    for kept in candidates:
        if progress:
            progress("models scored by the task", len(values), len(candidates))
        values.append(score(kept))
    if progress:
        progress("models scored by the task", len(candidates), len(candidates))
    return values[0], values[0] - np.array(values[1:])
