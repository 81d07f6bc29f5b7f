"""KV-cache slots: prompts are prefilled as rows of their prefix tree, copied into slots, and decode there together.

A slot is one row of the cache, `[slots, kv heads, length, head dim]` for the keys and for the values of every layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from backends.packing.attention import RowPass
from backends.packing.decode.choice import Step
from backends.packing.forward_pass import Layer
from backends.packing.packed_model import PackedModel
from backends.packing.prefix_tree import PrefixTree, Row
from backends.packing.scheduler import answered_rows
from backends.packing.worker_pool import WorkerPool

S = TypeVar("S")
Computed = tuple["PrefillPass", torch.Tensor]
"""A row's pass, and the hidden states of its scored tokens."""


@dataclass
class Prefilled:
    """A prompt whose keys are computed: where they stand in its row's pass, and the state that predicts its first token."""

    index: int
    keys: torch.Tensor
    source: PrefillPass
    hidden: torch.Tensor

    def copy_into(self, cache: list[Layer], slot: int) -> None:
        """Put its keys and values at the start of a slot of the cache."""
        for layer, whole in zip(cache, self.source.whole, strict=True):
            for mine, theirs in zip(layer, whole, strict=True):
                mine[slot, :, : len(self.keys)] = theirs[0].index_select(1, self.keys)


class PrefillPass(RowPass):
    """Keeps the keys and values of the whole row: prompts end inside it."""

    def __init__(self, row: Row, path: list[Layer], last_layer: int, device: Any) -> None:
        super().__init__(row, path, last_layer, device)
        self.whole: list[Layer] = []

    def _keep(self, k: Any, v: Any) -> None:
        super()._keep(k, v)
        self.whole.append((k, v))


class _PrefillEngine:
    """A `RowEngine` that answers a row with its pass, which keeps all keys and values, and its scored states."""

    min_scored_per_head_call = 1

    def __init__(self, model: PackedModel) -> None:
        self._model = model

    def workers(self, rows: int) -> AbstractContextManager[WorkerPool]:
        """See `RowEngine`."""
        return self._model.workers(rows)

    @torch.inference_mode()
    def run_row(self, row: Row, path: list[Layer] | None) -> tuple[Computed, list[Layer]]:
        """See `RowEngine`. What torch raises where memory runs out is the caller's."""
        current = self._model.row_pass(row, path or [], PrefillPass)
        return (current, self._model.row_hidden(row, current)), current.kept

    def shortened(self, path: list[Layer] | None, length: int) -> list[Layer]:
        """See `RowEngine`."""
        return self._model.shortened(path, length)

    def answer(self, rows: Sequence[Row], states: Sequence[Computed]) -> list[Computed]:
        """See `RowEngine`."""
        return list(states)


def prefilled(model: PackedModel, prompts: Sequence[Sequence[int]], budget: int) -> Iterator[list[Prefilled]]:
    """Run the rows of the prompts' prefix tree, as scoring does; yield the prompts that end in each."""
    tree = PrefixTree(prompts, [(0,)] * len(prompts))
    for row, (current, hidden) in answered_rows(tree, _PrefillEngine(model), budget):
        yield [
            Prefilled(
                i, _keys(tree, row, i, model.device), current, hidden[int(np.searchsorted(row.scored, tree.last[i]))]
            )
            for i in tree.completed(row.start, row.stop).tolist()
        ]


class SlotCache(Generic[S]):
    """`count` slots of `length` tokens, and the active sequences in them: `active[i]` is in slot i."""

    def __init__(self, model: PackedModel, count: int, length: int) -> None:
        self._model, self._count, self._length = model, count, length
        self._layers: list[Layer] = []
        self._step: Step | None = None
        self.active: list[S] = []

    @property
    def free(self) -> int:
        """Slots without a sequence."""
        return self._count - len(self.active)

    def add(self, prompt: Prefilled, sequence: S) -> None:
        """Copy a prompt into the next slot; the memory of all slots is taken with the first."""
        if not self._layers:
            self._layers = empty_cache(prompt, self._count, self._length)
            self._step = self._model.step(self._layers)
        prompt.copy_into(self._layers, len(self.active))
        self.active.append(sequence)

    def decode(self, newest: list[int], positions: list[int]) -> torch.Tensor:
        """One step: the hidden states that follow each active sequence's newest token, `[active, width]`."""
        assert self._step is not None, "a sequence is added before it decodes"
        return self._step(newest, positions)

    def remove(self, ended: Callable[[S], bool]) -> list[S]:
        """Free the slots of ended sequences and return these; the last active sequence moves into a freed slot."""
        removed: list[S] = []
        for slot in range(len(self.active) - 1, -1, -1):
            if ended(self.active[slot]):
                removed.append(self.active[slot])
                last = self.active.pop()
                if slot < len(self.active):
                    self.active[slot] = last
                    self._move(len(self.active), slot)
        return removed

    def _move(self, source: int, target: int) -> None:
        for layer in self._layers:
            for x in layer:
                x[target] = x[source]


def empty_cache(like: Prefilled, slots: int, length: int) -> list[Layer]:
    """A cache of zeros with as many heads and layers as the prompt has."""

    def zeros(x: torch.Tensor) -> torch.Tensor:
        return x.new_zeros(slots, x.shape[1], length, x.shape[3])

    return [(zeros(keys), zeros(values)) for keys, values in like.source.whole]


def _keys(tree: PrefixTree, row: Row, index: int, device: Any) -> torch.Tensor:
    """Where a prompt's tokens stand among [path | row]."""
    whole = np.append(tree.path(int(tree.last[index])), tree.last[index])
    above = int(np.searchsorted(whole, row.start))
    local = np.concatenate([np.arange(above), whole[above:] - row.start + len(row.path)])
    return torch.from_numpy(local).to(device)
