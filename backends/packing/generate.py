"""Generation with shared prefixes and continuous batching.

Prompts are prefilled as rows of their prefix tree, so what they share (the few-shot examples, or all of a prompt that is
sampled many times) is computed once. Each then decodes in a slot of its own; a sequence that ends leaves its slot, and
the next prompt takes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from backends.contract import GenerateRequest, Generation, Tokenizer
from backends.packing.attention import Layer, RowPass, fold_heads
from backends.packing.packed_model import PackedModel, out_of_memory
from backends.packing.prefix_tree import PrefixTree, Row
from backends.packing.scheduler import OutOfMemory
from backends.sampling import StopMatcher, TokenSampler, ending, eos_ids

SLOTS = {"cpu": 32, "cuda": 256}
"""Sequences that decode together at most."""
CPU_CACHE_BYTES = 1 << 30
"""Memory for the keys and values of all slots on a CPU; on a GPU half of what is free."""


@dataclass
class _Sequence:
    """A sequence that decodes: its request, its new tokens, and how its next one is chosen."""

    index: int
    request: GenerateRequest
    stops: StopMatcher
    dice: TokenSampler | None
    tokens: list[int] = field(default_factory=list)

    @property
    def position(self) -> int:
        """Where its newest token stands."""
        return len(self.request.prompt) + len(self.tokens) - 1


@dataclass
class Ready:
    """A prefilled prompt: where its keys stand in its row's pass, and the hidden state that predicts its first token."""

    index: int
    keys: torch.Tensor
    source: PrefillPass
    hidden: torch.Tensor

    def copy_into(self, cache: list[Layer], slot: int) -> None:
        """Put its keys and values at the start of a slot of the cache."""
        for layer, whole in zip(cache, self.source.whole, strict=True):
            for mine, theirs in zip(layer, whole, strict=True):
                mine[slot, :, : len(self.keys)] = theirs[0].index_select(1, self.keys)


def slots_like(ready: Ready, slots: int, length: int) -> list[Layer]:
    """An empty cache, `[slots, heads, length, head_dim]` for keys and for values in every layer."""

    def room(like: torch.Tensor) -> torch.Tensor:
        return like.new_zeros(slots, like.shape[1], length, like.shape[3])

    return [(room(keys), room(values)) for keys, values in ready.source.whole]


def move_slot(cache: list[Layer], slot: int, mover: int) -> None:
    """Move the sequence of slot `mover` to `seat`."""
    for layer in cache:
        for x in layer:
            x[slot] = x[mover]


def continuous_generations(
    model: PackedModel, tokenizer: Tokenizer, requests: Sequence[GenerateRequest], budget: int
) -> Iterator[Generation]:
    """Yield the new tokens of each prompt as it ends.

    When memory runs out, what has not ended starts again in half the seats.
    """
    left = dict(enumerate(requests))
    slots = _slots(model, requests)
    while left:
        indices = list(left)
        decoder = _Decoder(model, tokenizer, [left[i] for i in indices], budget, slots)
        try:
            for generation in decoder.run():
                index = indices[generation.index]
                del left[index]
                yield Generation(index, generation.tokens, generation.finish)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            reason = out_of_memory(error)
            if slots == 1:
                raise OutOfMemory(reason) from None
            slots, budget = max(1, slots // 2), max(64, budget // 2)


def prefilled(model: PackedModel, prompts: Sequence[Sequence[int]], budget: int) -> Iterator[list[Ready]]:
    """Run the rows of the prompts' prefix tree, one each time it is asked; yield the prompts that end in each."""
    tree = PrefixTree(prompts, [(0,)] * len(prompts))
    path: list[Layer] = []
    start = 0
    while start < len(tree):
        row = tree.row(start, tree.cut(start, budget))
        current = model.row_pass(row, path, PrefillPass)
        hidden = model.row_hidden(row, current)
        path, start = current.kept, row.stop
        yield [
            Ready(i, _keys(tree, row, i, model.device), current, hidden[int(np.searchsorted(row.scored, tree.last[i]))])
            for i in tree.completed(row.start, row.stop).tolist()
        ]


class PrefillPass(RowPass):
    """Keeps the keys and values of the whole row: prompts end inside it."""

    def __init__(self, row: Row, path: list[Layer], last_layer: int, device: Any) -> None:
        super().__init__(row, path, last_layer, device)
        self.whole: list[Layer] = []

    def _keep(self, k: Any, v: Any) -> None:
        super()._keep(k, v)
        self.whole.append((k, v))


class DecodePass:
    """One token of every seated sequence."""

    picked = None

    def __init__(self, cache: list[Layer], positions: torch.Tensor) -> None:
        self._cache, self._positions = cache, positions
        self.size = len(positions)
        self._reach = int(positions.max()) + 1
        self._masks: dict[int | None, torch.Tensor] = {}

    def attend(self, layer: int, q: Any, k: Any, v: Any, scale: float | None, window: int | None) -> torch.Tensor:
        """See `Pass`; the batch dimension holds the sequences here, and each has one token."""
        rows, heads = q.shape[:2]
        keys, values = (cache[:rows] for cache in self._cache[layer])
        slots = torch.arange(rows, device=q.device)
        keys[slots, :, self._positions] = k[:, :, 0]
        values[slots, :, self._positions] = v[:, :, 0]
        keys, values = keys[:, :, : self._reach], values[:, :, : self._reach]
        mask = self._mask(window, q.dtype)
        folded = fold_heads(q, keys.shape[1])
        out = F.scaled_dot_product_attention(folded, keys, values, attn_mask=mask, scale=scale)
        return out.reshape(rows, 1, heads, -1)

    def _mask(self, window: int | None, dtype: Any) -> torch.Tensor:
        if window not in self._masks:
            distance = self._positions[:, None] - torch.arange(self._reach, device=self._positions.device)
            seen = (distance >= 0) & (distance < (window or self._reach + 1))
            mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, float("-inf"))
            self._masks[window] = mask[:, None, None]
        return self._masks[window]


class _Decoder:
    """The slots, who sits in them, and who waits."""

    def __init__(
        self, model: PackedModel, tokenizer: Tokenizer, requests: Sequence[GenerateRequest], budget: int, slots: int
    ) -> None:
        self._model, self._tokenizer, self._requests = model, tokenizer, requests
        self._eos = eos_ids(model.twin, tokenizer)
        self._slots = slots
        self._longest = max(len(r.prompt) + r.max_new_tokens for r in requests)
        self._cache: list[Layer] = []
        self._active: list[_Sequence] = []
        self._ready: deque[Ready] = deque()
        self._prefill = self._prefilled(budget)
        self._more = True

    def run(self) -> Iterator[Generation]:
        """Yield every request's generation as it ends."""
        while self._more or self._ready or self._active:
            for sequence in self._advance():
                yield ending(sequence.index, sequence.request, sequence.tokens, self._eos)

    @torch.inference_mode()
    def _advance(self) -> list[_Sequence]:
        """Seat whom there is room for, then one token for everybody; returns who ended."""
        self._fill_slots()
        if not self._active:
            return []
        ended = self._ended()
        if self._active:
            newest = torch.tensor([s.tokens[-1] for s in self._active], device=self._model.device)[:, None]
            positions = torch.tensor([s.position for s in self._active], device=self._model.device)
            current = DecodePass(self._cache, positions)
            self._choose(self._active, self._model.hidden(newest, positions[:, None], current))
        return ended

    def _fill_slots(self) -> None:
        while len(self._active) < self._slots and (self._ready or self._more):
            if not self._ready:
                row = next(self._prefill, None)
                self._more = row is not None
                self._ready.extend(row or ())
                continue
            count = min(self._slots - len(self._active), len(self._ready))
            new = [self._ready.popleft() for _ in range(count)]
            sequences = [self._activate(ready) for ready in new]
            self._choose(sequences, torch.stack([ready.hidden for ready in new]))

    def _activate(self, ready: Ready) -> _Sequence:
        request = self._requests[ready.index]
        if not self._cache:
            self._cache = slots_like(ready, self._slots, self._longest)
        ready.copy_into(self._cache, len(self._active))
        dice = TokenSampler(request) if request.temperature > 0 else None
        self._active.append(_Sequence(ready.index, request, StopMatcher(self._tokenizer, request), dice))
        return self._active[-1]

    def _choose(self, sequences: list[_Sequence], hidden: torch.Tensor) -> None:
        logits = self._model.logits(hidden).float()
        tokens = logits.argmax(-1).tolist()
        for row, sequence in enumerate(sequences):
            drawn = sequence.dice.sample(logits[row : row + 1]) if sequence.dice else tokens[row]
            sequence.tokens.append(int(drawn))

    def _ended(self) -> list[_Sequence]:
        """Take those whose newest token was their last out of their seats; the last in the row moves up."""
        ended: list[_Sequence] = []
        for slot in range(len(self._active) - 1, -1, -1):
            sequence = self._active[slot]
            if self._is_over(sequence):
                ended.append(sequence)
                mover = self._active.pop()
                if slot < len(self._active):
                    self._active[slot] = mover
                    move_slot(self._cache, slot, len(self._active))
        return ended

    def _is_over(self, sequence: _Sequence) -> bool:
        tokens = sequence.tokens
        full = len(tokens) >= sequence.request.max_new_tokens
        return full or tokens[-1] in self._eos or sequence.stops(tokens)

    def _prefilled(self, budget: int) -> Iterator[list[Ready]]:
        """Run the rows of the prompts' tree, one each time it is asked; the prompts that end in each."""
        return prefilled(self._model, [r.prompt for r in self._requests], budget)


def _keys(tree: PrefixTree, row: Row, index: int, device: Any) -> torch.Tensor:
    """Where a prompt's tokens stand among [path | row]."""
    whole = np.append(tree.path(int(tree.last[index])), tree.last[index])
    above = int(np.searchsorted(whole, row.start))
    local = np.concatenate([np.arange(above), whole[above:] - row.start + len(row.path)])
    return torch.from_numpy(local).to(device)


def _slots(model: PackedModel, requests: Sequence[GenerateRequest]) -> int:
    longest = max((len(r.prompt) + r.max_new_tokens for r in requests), default=1)
    kind = model.device.type
    room = CPU_CACHE_BYTES if kind == "cpu" else torch.cuda.mem_get_info(model.device)[0] // 2
    return max(1, min(SLOTS[kind], len(requests), room // (longest * model.cache_bytes_per_token())))
