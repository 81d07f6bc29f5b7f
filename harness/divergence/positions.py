"""Every position of a suite's requests, each once: contexts that requests share are one position of the first document.

A position is a context: the tokens before and at it. What may follow it are the next tokens that the requests go on with, one
or, where the endings of a question part, several. So a pair (position, next token) stands for every token of the requests
that has something before it.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends.contract import ScoreRequest, Tokens
from harness.accuracy.plan import TaskPlan
from harness.lmeval.estimates import clusters_of

Ints = NDArray[np.int64]
NO_TOKEN = -1
"""In place of the next token of a prompt: what follows it is for the model to say."""


class Asked(NamedTuple):
    """Tokens that a model is fed, the token that follows them in the request (NO_TOKEN: none), and whose they are."""

    fed: Tokens
    following: int
    document: int


@dataclass(frozen=True)
class Positions:
    """Positions in ascending order of their contexts. `sequences` are what a model is fed, and the last `asked[i]` tokens of
    sequence i are the positions that none before it has.
    """

    sequences: Sequence[Sequence[int]]
    asked: Sequence[int]
    document: Ints
    """One a position: the first document that asks for it."""
    pair_position: Ints
    """One a pair, ascending."""
    pair_token: Ints

    def __len__(self) -> int:
        return len(self.document)


class Documents(NamedTuple):
    """The documents of all tasks in their order: one entry each."""

    task: list[str]
    cluster: list[str]
    """What the document shares with others (a passage), named with its task; else the document itself."""


def documents_of(plans: Sequence[TaskPlan]) -> tuple[list[Asked], Documents]:
    """What the plans' requests ask of a model, and their documents. A prompt is asked for what follows it, too."""
    listed: list[Asked] = []
    documents = Documents([], [])
    for plan in plans:
        number = {document.doc_id: len(documents.task) + at for at, document in enumerate(plan.documents)}
        named: Sequence[Any] = clusters_of(plan.loaded, plan.documents) or [f"#{d.doc_id}" for d in plan.documents]
        documents.task.extend([plan.name] * len(plan.documents))
        documents.cluster.extend(f"{plan.name} {name}" for name in named)
        for unit in plan.units:
            request = unit.request
            if isinstance(request, ScoreRequest):
                whole = request.context + request.continuation
                listed.append(Asked(whole[:-1], whole[-1], number[unit.key.doc_id]))
            else:
                listed.append(Asked(request.prompt, NO_TOKEN, number[unit.key.doc_id]))
    return listed, documents


def positions_of(listed: Iterable[Asked]) -> Positions:
    """The positions of what is asked, and the pairs; linear in the tokens but for sorting the sequences."""
    entries = sorted(((_key(each.fed), each) for each in listed), key=lambda entry: entry[0])
    if not entries:
        none = np.empty(0, np.int64)
        return Positions([], [], none, none, none)
    fed = [np.frombuffer(key, ">i4") for key, _ in entries]
    common = [0, *map(_common, fed, fed[1:])]
    longest = max(map(len, fed))
    new = np.array([len(tokens) - shared for tokens, shared in zip(fed, common, strict=True)])
    first = np.concatenate([[0], np.cumsum(new)])
    place = np.empty(longest, np.int64)  # number of the position at each token of the current sequence
    parts: list[tuple[Ints, Ints]] = []
    for (_, each), tokens, shared, start, stop in zip(entries, fed, common, first, first[1:], strict=False):
        place[shared : len(tokens)] = np.arange(start, stop)
        begin = max(shared, 1)
        parts.append((place[begin - 1 : len(tokens) - 1].copy(), tokens[begin:].astype(np.int64)))
        if each.following != NO_TOKEN:
            parts.append((place[len(tokens) - 1 : len(tokens)].copy(), np.array([each.following], np.int64)))
    # A request's last token may be another's last token, or inside another.
    pairs = np.unique(np.concatenate([(position << 32) | token for position, token in parts]))
    kept = [at for at, count in enumerate(new) if count]
    return Positions(
        [_tokens(entries[at][0]) for at in kept],
        [int(new[at]) for at in kept],
        _first_documents([each.document for _, each in entries], [len(tokens) for tokens in fed], common),
        pairs >> 32,
        pairs & 0xFFFFFFFF,
    )


def _first_documents(documents: Sequence[int], lengths: Sequence[int], common: Sequence[int]) -> Ints:
    """The least document among the sequences that have a position; from the last sequence backwards, since those that share a
    beginning stand together."""
    least = np.empty(max(lengths), np.int64)
    found: list[Ints] = []
    shared = 0
    for document, length, before in zip(reversed(documents), reversed(lengths), reversed(common), strict=True):
        least[:shared] = np.minimum(least[:shared], document)
        least[shared:length] = document
        found.append(least[before:length].copy())
        shared = before
    return np.concatenate(found[::-1])


def _common(one: Any, other: Any) -> int:
    """How many tokens two sequences begin alike with."""
    least = min(len(one), len(other))
    unlike = one[:least] != other[:least]
    return int(unlike.argmax()) if unlike.any() else least


def _key(tokens: Tokens) -> bytes:
    """Bytes that sort as the tokens do: ids from 0, the larger half first."""
    made = array("i", tokens)
    if sys.byteorder == "little":
        made.byteswap()
    return made.tobytes()


def _tokens(key: bytes) -> Sequence[int]:
    made = array("i", key)
    if sys.byteorder == "little":
        made.byteswap()
    return made
