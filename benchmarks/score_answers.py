"""Two engines' answers to the same requests, compared: one rule for the benchmark of scoring and for records of it."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from harness.records.beside_record import Agreement

Measured = dict[str, Any]
"""What an engine measured: `answers`, a (log p, greedy) a request, and `documents`, the number of each request's document."""


def differences(truth: Measured, other: Measured) -> tuple[float, int, int]:
    """Largest |Δ log p|, documents whose likeliest answer differs, and answers whose greediness differs."""
    pairs = list(zip(truth["answers"], other["answers"], strict=True))
    best: dict[int, list[tuple[float, float]]] = {}
    for document, (theirs, ours) in zip(truth["documents"], pairs, strict=True):
        best.setdefault(document, []).append((theirs[0], ours[0]))
    flips = sum(
        max(range(len(c)), key=lambda i: c[i][0]) != max(range(len(c)), key=lambda i: c[i][1]) for c in best.values()
    )
    return max(abs(a[0] - b[0]) for a, b in pairs), flips, sum(a[1] != b[1] for a, b in pairs)


def agreement(truth: Measured, other: Measured, documents: Collection[int]) -> Agreement:
    """How far one engine's answers are from another's, over those documents."""
    largest, flips, _ = differences(of_documents(truth, documents), of_documents(other, documents))
    return Agreement(flips=flips, largest=largest)


def of_documents(measured: Measured, documents: Collection[int]) -> Measured:
    """The answers to the requests of those documents, in the order of their numbers."""
    kept = [pair for pair in zip(measured["documents"], measured["answers"], strict=True) if pair[0] in documents]
    kept.sort(key=lambda pair: pair[0])
    return {"documents": [number for number, _ in kept], "answers": [answer for _, answer in kept]}


def joined(parts: Collection[Measured]) -> Measured:
    """The answers of several calls."""
    return {key: [one for part in parts for one in part[key]] for key in ("documents", "answers")}


def not_finite(measured: Measured) -> int:
    """Requests whose log p is NaN or infinite."""
    return sum(not math.isfinite(answer[0]) for answer in measured["answers"])
