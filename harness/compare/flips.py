"""Documents whose outcome changed from A to B, with both answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from harness.compare.evidence import Evidence
from harness.compare.items import Items
from harness.compare.task import TaskComparison

ACC = "acc"
"""The metric whose value tells whether the likeliest ending is what was chosen."""


@dataclass(frozen=True)
class Answer:
    """What one side answered to a document: an ending, or a text. All of it None where answers were not kept."""

    ending: int | None = None
    """The likeliest one's place, by its log-probability alone: `acc_norm` chooses after dividing by the ending's length."""
    logprob: float | None = None
    """Its Σ log p in nats."""
    text: str | None = None
    """What the filter took of a generated answer; of anything else the filtered responses as they are."""

    @property
    def kept(self) -> bool:
        """Whether there is an answer."""
        return (self.ending, self.logprob, self.text) != (None, None, None)


@dataclass(frozen=True)
class Flip:
    """A document that B answered worse (`lost`) or better than A."""

    task: str
    doc_id: int
    doc_hash: str
    occurrence: int
    lost: bool
    a_value: float
    b_value: float
    target: str | None
    """The right answer as the task states it; None where neither side kept it."""
    position: int | None
    """Its place among the choices."""
    a_answer: Answer
    b_answer: Answer
    a_gold: float | None
    b_gold: float | None
    """Σ log p of the right answer in nats."""


def flips_of(row: TaskComparison, most: int) -> list[Flip]:
    """The documents that changed, lost ones first, then those whose right answer lost the most probability; `most` of them."""
    import numpy as np

    if row.evidence is None:
        return []
    evidence = row.evidence
    sign = -1 if row.higher_is_better is False and not evidence.way.likelihood else 1
    change = sign * (evidence.b - evidence.a)
    fall = np.nan_to_num(evidence.gold_b - evidence.gold_a)
    changed = [int(at) for at in np.flatnonzero(change)]
    changed.sort(key=lambda at: (change[at] > 0, change[at], fall[at]))
    return [_flip(row, evidence, at, bool(change[at] < 0)) for at in changed[:most]]


def _flip(row: TaskComparison, evidence: Evidence, at: int, lost: bool) -> Flip:
    ours, theirs = evidence.sources[evidence.task[at]]
    here, there = int(evidence.place_a[at]), int(evidence.place_b[at])
    position = int(evidence.position[at])
    believed = position if row.key.metric == ACC and position >= 0 else None
    return Flip(
        task=str(evidence.task[at]),
        doc_id=int(ours.doc_id[here]),
        doc_hash=str(ours.doc_hash[here]),
        occurrence=int(ours.occurrence[here]),
        lost=lost,
        a_value=float(evidence.a[at]),
        b_value=float(evidence.b[at]),
        target=_text(ours.target, here) or _text(theirs.target, there),
        position=position if position >= 0 else None,
        a_answer=_answer(ours, here, float(evidence.a[at]), believed),
        b_answer=_answer(theirs, there, float(evidence.b[at]), believed),
        a_gold=_known(evidence.gold_a[at]),
        b_gold=_known(evidence.gold_b[at]),
    )


def _answer(items: Items, at: int, value: float, position: int | None) -> Answer:
    """An answer by what the filter made of it. An ending is named where the value agrees that it was chosen."""
    told = _text(items.filtered, at)
    if told is None:
        return Answer()
    try:
        parts: Any = json.loads(told)
    except ValueError:
        return Answer(text=told)
    scored = _scored(parts)
    if scored:
        place = max(range(len(scored)), key=scored.__getitem__)
        if position is None or len(scored) == 1 or value == float(place == position):
            return Answer(ending=place if len(scored) > 1 else None, logprob=scored[place])
        return Answer(text=told)
    if isinstance(parts, list) and len(alone := cast("list[Any]", parts)) == 1 and isinstance(alone[0], str):
        return Answer(text=alone[0])
    return Answer(text=told)


def _scored(parts: Any) -> list[float]:
    """The log-probability of each ending; nothing where the answers are none of endings."""
    found: list[float] = []
    for part in cast("list[Any]", parts) if isinstance(parts, list) else []:
        match part:
            case [float() | int() as logprob, bool(), *_]:
                found.append(float(logprob))
            case float() if len(parts) == 1:  # a whole text's, of a perplexity
                found.append(part)
            case _:
                return []
    return found


def _text(column: Sequence[Any] | None, at: int) -> str | None:
    value = None if column is None else column[at]
    return None if value is None else str(value)


def _known(value: Any) -> float | None:
    return None if value != value else float(value)
