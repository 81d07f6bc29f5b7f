"""Documents of token ids → rows of one length, each word a token id with two marks: it begins a document; it is not learnt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InvalidOption

START = np.uint32(1 << 31)
"""Mark of a document's first token in a row: its position is 0, and nothing before it is seen."""
MUTE = np.uint32(1 << 30)
"""Mark of a token that is not learnt: padding."""
ID = np.uint32((1 << 30) - 1)
"""The bits of the token id itself."""
LEAST = 2
"""Tokens of a piece from which something can be learnt: one that is seen and one that follows."""

Words = NDArray[np.uint32]
Ids = Sequence[int] | NDArray[np.int64]


@dataclass(frozen=True)
class Framing:
    """Rows of `length` tokens. A document is `bos`, its tokens, `eos`, as far as the tokenizer has these two.

    One that a row has no room for goes on in the next row, there again behind `bos`, as every row of the calibration data
    begins (zoo/prune/calibration.py): models put much attention on that token and are another model without it.
    """

    length: int
    bos: int | None = None
    eos: int | None = None

    def __post_init__(self) -> None:
        if self.length < LEAST:
            raise InvalidOption(
                f"Rows of {self.length} tokens leave nothing to predict.", "Give a length of 2 or more."
            )

    @property
    def padding(self) -> int:
        """The id that fills what is left of a row; it is never learnt, and no document sees it."""
        return 0 if self.eos is None else self.eos

    def framed(self, ids: Ids) -> Words:
        """`bos`, the ids, `eos`; a chat template may have put either there already."""
        first = [self.bos] if self.bos is not None and (not len(ids) or ids[0] != self.bos) else []
        last = [self.eos] if self.eos is not None and (not len(ids) or ids[-1] != self.eos) else []
        return np.concatenate([np.array(part, dtype=np.uint32) for part in (first, ids, last)])


@dataclass(frozen=True)
class Place:
    """How far rows reach into the documents: so many whole ones, and so many tokens (framing included) of the next."""

    documents: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class PackedRow:
    """One row, and where in the documents the next one goes on. `learnt` of its tokens have weight."""

    words: Words
    after: Place

    @property
    def learnt(self) -> int:
        """Tokens of the row that a model is to say."""
        return int(np.count_nonzero(self.words < MUTE))


def pack(documents: Iterable[Ids], framing: Framing, begin: Place | None = None) -> Iterator[PackedRow]:
    """Rows of the documents in their order, the last row padded. Empty documents, and pieces too short to learn from, go.

    With `begin`, the documents are those from its number on, and rows go on as if they had never stopped.

    >>> [(row.words & ID).tolist() for row in pack([[5, 6], [7]], Framing(length=4, bos=1))]
    [[1, 5, 6, 0], [1, 7, 0, 0]]
    """
    begin = begin or Place()
    pieces: list[Words] = []
    room, used, done = framing.length, begin.tokens, begin.documents
    for done, document in enumerate(documents, begin.documents):
        ids = framing.framed(document) if len(document) else np.zeros(0, dtype=np.uint32)
        while len(ids) - used >= LEAST:
            if room < LEAST:
                yield _row(pieces, room, framing, Place(done, used))
                pieces, room = [], framing.length
            piece = _piece(ids, used, room, framing)
            used += len(piece) - (used > 0 and framing.bos is not None)
            pieces.append(piece)
            room -= len(piece)
            if room == 0:
                after = Place(done, used) if len(ids) - used >= LEAST else Place(done + 1)
                yield _row(pieces, 0, framing, after)
                pieces, room = [], framing.length
        used = 0
    if pieces:
        yield _row(pieces, room, framing, Place(done + 1))


def digest_of_shards(digests: Iterable[str]) -> str:
    """The digest of rows: sha256 over the sha256 of each part of them, in their order."""
    return hashlib.sha256("".join(f"{each}\n" for each in digests).encode()).hexdigest()


def _piece(ids: Words, used: int, room: int, framing: Framing) -> Words:
    """As much of a document as there is room for, marked at its begin."""
    if used and framing.bos is not None:
        piece = np.concatenate([np.array([framing.bos], dtype=np.uint32), ids[used : used + room - 1]])
    else:
        piece = ids[used : used + room].copy()
    piece[0] |= START
    return piece


def _row(pieces: list[Words], room: int, framing: Framing, after: Place) -> PackedRow:
    padding = np.full(room, np.uint32(framing.padding) | MUTE, dtype=np.uint32)
    padding[:1] |= START
    return PackedRow(np.concatenate([*pieces, padding]), after)
