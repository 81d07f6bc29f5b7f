"""The right answer of a document told from its row, where a record of before the column `gold`, or a file, has no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

Scored = tuple[float, bool]
"""Σ log p of a request in nats, and whether greedy decoding writes it."""


class Gold(NamedTuple):
    """The place of the right answer among the choices, and its Σ log p in nats; None where that is not known."""

    place: int | None
    logprob: float | None


UNKNOWN = Gold(None, None)


class Answered(NamedTuple):
    """What `gold_of` tells the right answer of one document from."""

    target: str | None
    responses: str | None
    acc: float | None = None
    endings: Sequence[str] = ()


def golds_of(answered: Sequence[Answered]) -> list[Gold]:
    """Those of all documents of a task, or of none: which of them tell depends on the answers (`acc`), and a part that is
    chosen by those would be no fair one."""
    found = [gold_of(*each) for each in answered]
    return found if all(gold.logprob is not None for gold in found) else [UNKNOWN] * len(found)


def gold_of(target: str | None, responses: str | None, acc: float | None = None, endings: Sequence[str] = ()) -> Gold:
    """The right answer by a row's `target` and `responses`, as samples.parquet has them; unknown where they do not tell.

    Known is the one scored request of a log-likelihood task, and of several the one that an integer target names. `endings`,
    the text of each request's answer, also tell where the target is exactly one of them. `acc`, the document's value of that
    metric: a place is believed only where it is 1 exactly for the likeliest answer, since a task's own code may judge by
    something else (TruthfulQA's mc2 has several right answers, and names the first).
    """
    scored = _scored(responses)
    if len(scored) == 1:
        return Gold(None, scored[0][0])
    place = _place(target, endings)
    if place is None or place >= len(scored):
        return UNKNOWN
    likeliest = max(range(len(scored)), key=lambda at: scored[at][0])
    if acc is not None and acc != float(likeliest == place):
        return UNKNOWN
    return Gold(place, scored[place][0])


def _place(target: str | None, endings: Sequence[str]) -> int | None:
    if target is None:
        return None
    if target.isascii() and target.isdigit() and len(target) < 10:
        return int(target)
    found = [at for at, ending in enumerate(endings) if ending.strip() == target.strip()]
    return found[0] if len(found) == 1 else None


def _scored(responses: str | None) -> list[Scored]:
    """Each request's first response; none at all where one of them is a text or a perplexity's."""
    try:
        answered: Any = json.loads(responses or "")
    except ValueError:
        return []
    firsts = [_first(each) for each in cast("list[Any]", answered)] if isinstance(answered, list) else []
    scored = [first for first in firsts if first is not None]
    return scored if len(scored) == len(firsts) else []


def _first(response: Any) -> Scored | None:
    match response:
        case [[float() | int() as logprob, bool() as greedy], *_] if not isinstance(logprob, bool):
            return float(logprob), greedy
        case _:
            return None
