"""Packed training rows: documents end to end, each attending to itself alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from transformers import PreTrainedTokenizerFast

from zoo.nano.tokenizer import BOS_ID, EOS_ID

ENCODED_AT_ONCE = 256


class Rows:
    """Documents as rows of token ids. A row begins with a document; the last document in it may be cut."""

    def __init__(self, documents: Iterator[str], tokenizer: PreTrainedTokenizerFast) -> None:
        self.documents = 0
        """Documents read so far, cut ones included."""
        self._encoded = self._encode(documents, tokenizer)

    def take(self, rows: int, length: int) -> torch.Tensor:
        """The next rows, of token ids [rows, length]."""
        return torch.tensor([self._row(length) for _ in range(rows)])

    def _row(self, length: int) -> list[int]:
        row: list[int] = []
        while len(row) < length:
            row += next(self._encoded)
        return row[:length]

    def _encode(self, documents: Iterator[str], tokenizer: PreTrainedTokenizerFast) -> Iterator[list[int]]:
        while texts := list(itertools.islice(documents, ENCODED_AT_ONCE)):
            for ids in tokenizer(texts)["input_ids"]:
                self.documents += 1
                yield [*ids, EOS_ID]


def document_positions(rows: torch.Tensor) -> torch.Tensor:
    """Each token's position in its own document [rows, length]; given as `position_ids`, they also mask documents apart.

    Without a cache transformers takes a position that does not follow its neighbour's for the start of another document
    and masks the documents from each other (masking_utils.find_packed_sequence_indices); with a cache it does not.
    """
    index = torch.arange(rows.shape[1]).expand_as(rows)
    starts = torch.where(rows == BOS_ID, index, 0).cummax(dim=1).values
    return index - starts
