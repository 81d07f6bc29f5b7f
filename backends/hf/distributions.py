"""log p of the whole vocabulary behind the tokens of many sequences: packed, block by block, or a sequence at a time.

Packed, the sequences are a prefix tree whose rows give hidden states in the tree's order. Of these a block at a time goes
through the head, so that of `[positions, vocabulary]` never more than one block exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch

from backends.contract import OutOfMemory
from backends.packing.forward_pass import Layer
from backends.packing.logprobs import all_logprobs
from backends.packing.packed_model import PackedModel, out_of_memory
from backends.packing.prefix_tree import PrefixTree, Row
from backends.packing.scheduler import answered_rows
from backends.packing.worker_pool import WorkerPool

BLOCK = {"cpu": 64 << 20, "cuda": 256 << 20}
"""Bytes of log-probabilities in a block. The head's weights are read once a block: with 128k tokens of vocabulary a block has
128 positions on a CPU, enough for matrix speed."""


def packed_distributions(
    model: PackedModel, sequences: Sequence[Sequence[int]], asked: Sequence[int], budget: int, block: int | None = None
) -> Iterator[torch.Tensor]:
    """See `DistributionBackend.distributions`; rows hold `budget` tokens, blocks `block` bytes (BLOCK where None).

    Raises ValueError where sequences are not in ascending order or a position is asked twice, OutOfMemory.
    """
    tree = PrefixTree(sequences, [s[len(s) - count :] for s, count in zip(sequences, asked, strict=True)])
    count = max(1, (block or BLOCK[model.device.type]) // (4 * model.head.linear.weight.shape[0]))
    told = 0
    for row, hidden in answered_rows(tree, _HiddenStates(model), budget):
        slots = tree.slots(row)
        if len(row.scored) < len(slots) or not np.array_equal(slots, np.arange(told, told + len(slots))):
            raise ValueError("sequences are not in ascending order, or a position is asked twice")
        told += len(slots)
        at = 0
        while at < len(hidden):
            made, reason = _block(model, hidden[at : at + count])
            if made is not None:
                at += len(made)
                yield made
            elif count == 1:
                raise OutOfMemory(reason)
            else:
                count //= 2  # fewer positions at a time from here on


def unpacked_distributions(
    model: Any, sequences: Sequence[Sequence[int]], asked: Sequence[int]
) -> Iterator[torch.Tensor]:
    """The same through the model as it is: a block is what is asked of one sequence, which is computed alone and whole."""
    for tokens, count in zip(sequences, asked, strict=True):
        if count:
            yield _own_logprobs(model, tokens, count)


def _block(model: PackedModel, hidden: torch.Tensor) -> tuple[torch.Tensor | None, str]:
    """The log-probabilities at some states; or None, and what torch said where memory ran out."""
    try:
        return all_logprobs(hidden, model.head), ""
    except (torch.OutOfMemoryError, RuntimeError) as error:
        reason = out_of_memory(error)
    # Outside the handler the traceback, which holds the tensors, is gone.
    return None, reason


@torch.inference_mode()
def _own_logprobs(model: Any, tokens: Sequence[int], count: int) -> torch.Tensor:
    whole = torch.tensor([list(tokens)], device=model.device)
    keep = torch.arange(len(tokens) - count, len(tokens), device=model.device)
    logits = model(input_ids=whole, use_cache=False, logits_to_keep=keep).logits
    return torch.log_softmax(logits[0, -count:].float(), -1)  # a class that takes any argument heeds not all


class _HiddenStates:
    """A packed model as a `RowEngine` that answers with the hidden states themselves, `[scored, width]`."""

    min_scored_per_head_call = 1

    def __init__(self, model: PackedModel) -> None:
        self._model = model

    def workers(self, rows: int) -> AbstractContextManager[WorkerPool]:
        return self._model.workers(rows)

    def run_row(self, row: Row, path: list[Layer] | None) -> tuple[torch.Tensor, list[Layer]]:
        return self._model.run_row(row, path)

    def shortened(self, path: list[Layer] | None, length: int) -> list[Layer]:
        return self._model.shortened(path, length)

    def answer(self, rows: Sequence[Row], states: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return list(states)
