"""Generation with shared prefixes and continuous batching.

What prompts share (the few-shot examples, or all of a prompt that is sampled many times) is prefilled once. Each then
decodes in a slot of its own; a sequence that ends frees its slot for the next prompt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import torch

from backends.contract import GenerateRequest, Generation, OutOfMemory, Tokenizer
from backends.packing.packed_model import PackedModel, out_of_memory
from backends.packing.slots import Prefilled, SlotCache, prefilled
from backends.sampling import Continuation, Decoding, extend

SLOTS = {"cpu": 32, "cuda": 256}
"""Sequences that decode together at most."""
CPU_CACHE_BYTES = 1 << 30
"""Memory for the keys and values of all slots on a CPU; on a GPU half of what is free."""
SHORTEST_ROW = 64
"""Tokens of a prefill row that are not halved further when memory runs out."""


def continuous_generations(
    model: PackedModel, tokenizer: Tokenizer, requests: Sequence[GenerateRequest], budget: int
) -> Iterator[Generation]:
    """Yield the new tokens of each prompt as it ends; prefill rows hold `budget` tokens.

    When memory runs out, what has not ended starts again in half the slots. OutOfMemory where one slot is too many. Raises
    what `Decoding` raises, before the first token.
    """
    return _restarted(model, Decoding(model.twin, tokenizer, requests), budget)


def _restarted(model: PackedModel, decoding: Decoding, budget: int) -> Iterator[Generation]:
    left = set(range(len(decoding.requests)))
    slots = _affordable_slots(model, decoding.requests)
    while left:
        decoder = _Decoder(model, decoding, sorted(left), budget, slots)
        try:
            for generation in decoder.run():
                left.remove(generation.index)
                yield generation
        except (torch.OutOfMemoryError, RuntimeError) as error:
            reason = out_of_memory(error)
            if slots == 1:
                raise OutOfMemory(reason) from None
            slots, budget = max(1, slots // 2), max(SHORTEST_ROW, budget // 2)


class _Decoder:
    """KV-cache slots: active sequences, and prefilled prompts that wait for a slot."""

    def __init__(self, model: PackedModel, decoding: Decoding, left: list[int], budget: int, slots: int) -> None:
        self._model, self._decoding, self._left = model, decoding, left
        requests = [decoding.requests[i] for i in left]
        longest = max(len(r.prompt) + r.max_new_tokens for r in requests)
        self._slots: SlotCache[Continuation] = SlotCache(model, slots, longest)
        self._waiting: deque[Prefilled] = deque()
        self._prefill = prefilled(model, [r.prompt for r in requests], budget)
        self._more = True

    def run(self) -> Iterator[Generation]:
        """Yield every request's generation as it ends."""
        while self._more or self._waiting or self._slots.active:
            for sequence in self._advance():
                yield sequence.generation()

    @torch.inference_mode()
    def _advance(self) -> list[Continuation]:
        """Fill free slots, free those of ended sequences, decode one token of each that is left; returns the ended."""
        self._fill_slots()
        ended = self._slots.remove(Continuation.is_over)
        active = self._slots.active
        if active:
            hidden = self._slots.decode([s.tokens[-1] for s in active], [s.position for s in active])
            self._choose(active, hidden)
        return ended

    def _fill_slots(self) -> None:
        while self._slots.free and (self._waiting or self._more):
            if not self._waiting:
                row = next(self._prefill, None)
                self._more = row is not None
                self._waiting.extend(row or ())
                continue
            new = [self._waiting.popleft() for _ in range(min(self._slots.free, len(self._waiting)))]
            sequences = [self._activate(prompt) for prompt in new]
            self._choose(sequences, torch.stack([prompt.hidden for prompt in new]))

    def _activate(self, prompt: Prefilled) -> Continuation:
        sequence = self._decoding.start(self._left[prompt.index])
        self._slots.add(prompt, sequence)
        return sequence

    def _choose(self, sequences: list[Continuation], hidden: torch.Tensor) -> None:
        extend(sequences, self._model.logits(hidden).float())


def _affordable_slots(model: PackedModel, requests: Sequence[GenerateRequest]) -> int:
    longest = max((len(r.prompt) + r.max_new_tokens for r in requests), default=1)
    kind = model.device.type
    room = CPU_CACHE_BYTES if kind == "cpu" else torch.cuda.mem_get_info(model.device)[0] // 2
    return max(1, min(SLOTS[kind], len(requests), room // (longest * model.cache_bytes_per_token())))
