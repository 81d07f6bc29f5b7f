"""What the rows of a point's trials say of themselves: how many, how long, at which batch and lengths, and whether whole."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class TrialFacts:
    """Facts of rows of harness.metrics.speed_metrics.TRIAL_COLUMNS. Sets have one member where all agree."""

    trials: int
    """Measured ones."""
    seconds: float
    """Of those, each from its first submission to its last token."""
    prefill_s: tuple[float, ...]
    """Of each of those, until all its requests had their first token; those without a token are left out."""
    warmup_s: tuple[float, ...]
    batches: frozenset[int]
    """Requests of a measured trial."""
    input_tokens: frozenset[int]
    output_tokens: frozenset[int]
    """As many as were wanted."""
    whole: bool
    """Whether every measured request has all its tokens."""
    rising: bool
    """Whether the times of every measured request never fall."""


def facts_of(rows: Sequence[Row]) -> TrialFacts:
    """The facts of all rows of one point, warm-up included."""
    measured = [row for row in rows if row["phase"] == "trial"]
    spans = _seconds(measured, -1)
    return TrialFacts(
        trials=len(spans),
        seconds=sum(spans),
        prefill_s=tuple(seconds for seconds in _seconds(measured, 0) if seconds > 0),
        warmup_s=tuple(_seconds([row for row in rows if row["phase"] != "trial"], -1)),
        batches=frozenset(Counter(row["trial"] for row in measured).values()),
        input_tokens=frozenset(row["input_tokens"] for row in rows),
        output_tokens=frozenset(row["wanted_tokens"] for row in rows),
        whole=all(map(is_whole, measured)),
        rising=all(map(rises, measured)),
    )


def is_whole(row: Row) -> bool:
    """Whether a request has as many tokens as it was to have."""
    return len(row["token_s"]) == row["wanted_tokens"]


def rises(row: Row) -> bool:
    """Whether the times of a request never fall."""
    return all(a <= b for a, b in itertools.pairwise([row["submit_s"], *row["token_s"]]))


def _seconds(rows: Sequence[Row], token: int) -> list[float]:
    """Of each trial, in the order of their numbers, the seconds until the last of those tokens of its requests; 0 for none."""
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["trial"], []).append(row)
    return [_span(found[number], token) for number in sorted(found)]


def _span(rows: Sequence[Row], token: int) -> float:
    times = [row["token_s"][token] for row in rows if row["token_s"]]
    return max(times) - min(row["submit_s"] for row in rows) if times else 0.0
