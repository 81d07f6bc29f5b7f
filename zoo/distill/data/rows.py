"""The rows of a data set as batches: which rows a rank computes in a step, and what each token is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from zoo.distill.data.order import Group, Order
from zoo.distill.data.packing import ID, MUTE, START, Framing, Words, digest_of_shards, pack
from zoo.errors import ConflictingOptions, TokenOutsideVocabulary, TooLittleData

if TYPE_CHECKING:
    from zoo.distill.batch import Batch


class RowFile(Protocol):
    """Rows that are looked up one by one: an array, or a file mapped to memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, and tokens a row."""
        ...

    def __getitem__(self, row: int, /) -> Words: ...


class TokenRows:
    """Packed rows [rows, length], in memory or in files mapped to it, in an endless order by seed.

    `digest` is of the rows, `tokenizer` the digest of what made their ids, None where nobody told it.
    """

    def __init__(
        self,
        shards: Sequence[RowFile],
        order: Order,
        vocabulary: int,
        digest: str,
        tokenizer: str | None = None,
    ) -> None:
        self._shards = shards
        self._ends = np.cumsum([shard.shape[0] for shard in shards])
        self.order = order
        self.vocabulary = vocabulary
        self.length: int = shards[0].shape[1]
        self.digest = digest
        self.tokenizer = tokenizer

    def __len__(self) -> int:
        return int(self._ends[-1])

    def step_rows(self, step: int, batch: int) -> list[int]:
        """The numbers of the rows of a step (the first is 0), over all ranks."""
        return self.order.rows_at(step * batch, batch).tolist()

    def batches(self, step: int, rank: int, world: int, batch: int, micro: int) -> list[Batch]:
        """What one rank of `world` computes in a step of `batch` rows over all of them: micro-batches of `micro` rows.

        All ranks have as many micro-batches, and the ranks' rows one after the other are the step's rows. Raises
        ConflictingOptions for a batch that does not divide, TooLittleData for one of more rows than there are.
        """
        self.check_batch(batch, world)
        share = batch // world
        rows = self.step_rows(step, batch)[rank * share : (rank + 1) * share]
        return [self.batch(rows[first : first + micro]) for first in range(0, share, micro)]

    def check_batch(self, batch: int, world: int = 1) -> None:
        """Raise as `batches` would, before a model is loaded."""
        if batch < 1 or batch % world:
            raise ConflictingOptions(
                f"A step of {batch} rows cannot be shared by {world} processes.", f"Give a batch that {world} divides."
            )
        if batch > len(self):
            raise TooLittleData(
                f"The data has {len(self):,} rows of {self.length:,} tokens, fewer than one step takes ({batch:,}).",
                "Give more text, a smaller batch, or shorter rows.",
            )

    def epochs(self, steps: int, batch: int) -> float:
        """How often the rows are seen in so many steps, on the whole."""
        return steps * batch / len(self)

    def batch(self, rows: Sequence[int]) -> Batch:
        """The rows of these numbers. Raises TokenOutsideVocabulary, with the row, for an id that the model does not have."""
        import torch

        from zoo.distill.batch import Batch

        words = np.stack([self._row(row) for row in rows])
        ids = (words & ID).astype(np.int64)
        if ids.max(initial=0) >= self.vocabulary:
            at = int(np.argmax(ids.max(axis=1) >= self.vocabulary))
            raise TokenOutsideVocabulary(
                f"Row {rows[at]} of the data has token id {ids[at].max()}, the model a vocabulary of {self.vocabulary}.",
                "Make the rows with the model's own tokenizer.",
            )
        return Batch(
            ids=torch.from_numpy(ids),
            positions=torch.from_numpy(positions_of(words)),
            weight=torch.from_numpy((words < MUTE).astype(np.float32)),
            rows=tuple(int(row) for row in rows),
            digest=hashlib.sha256(ids.tobytes()).hexdigest(),
        )

    def _row(self, row: int) -> Words:
        shard = int(np.searchsorted(self._ends, row, side="right"))
        return self._shards[shard][int(row - self._ends[shard])]  # counted from the shard's end


def positions_of(words: Words) -> NDArray[np.int64]:
    """Each token's position in its own document."""
    index = np.broadcast_to(np.arange(words.shape[1], dtype=np.int64), words.shape)
    return index - np.maximum.accumulate(np.where(words & START, index, 0), axis=1)


def rows_in_memory(
    documents: Iterable[Sequence[int]], framing: Framing, vocabulary: int, seed: int = 0, tokenizer: str | None = None
) -> TokenRows:
    """Rows of documents that are token ids already. Raises TooLittleData where there is nothing to learn from."""
    packed = [row.words for row in pack(documents, framing)]
    if not packed:
        raise TooLittleData("The data has no document of two tokens.", "Give text.")
    rows = np.stack(packed)
    digest = digest_of_shards([hashlib.sha256(rows.astype("<u4").data).hexdigest()])
    return TokenRows([rows], Order((Group(len(rows)),), seed), vocabulary, digest, tokenizer)
