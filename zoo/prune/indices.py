"""Sets of kept units, written as runs: `0-3,7,9-12`. Ascending, without repeats, never empty."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

LARGEST = 1 << 24
"""No model is this wide: a run beyond it is a slip, and would fill the memory before anything could refuse it."""


def as_runs(indices: Iterable[int]) -> str:
    """The indices as runs; `parse_runs` gives them back."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def parse_runs(text: str) -> tuple[int, ...]:
    """The indices of `0-3,7,9-12`. Raises ValueError for anything else, for repeats and for a falling order."""
    indices: list[int] = []
    for run in text.split(","):
        first, _, last = run.partition("-")
        if int(last or first) >= LARGEST:
            raise ValueError(f"{last or first} is no index of a model")
        indices.extend(range(int(first), int(last or first) + 1))
    if not indices or any(a >= b for a, b in itertools.pairwise(indices)):
        raise ValueError(f"'{text[:40]}' is no ascending list of runs such as 0-3,7,9-12")
    return tuple(indices)


def _parsed(value: Any) -> Any:
    return parse_runs(value) if isinstance(value, str) else value


Kept = Annotated[tuple[int, ...], BeforeValidator(_parsed), PlainSerializer(as_runs, return_type=str)]
"""Indices of kept units in the parent's numbering; a string of runs in JSON."""
