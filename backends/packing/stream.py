"""Streaming at a fixed output length: every step's tokens with the time at which the device had finished them.

Sequences decode in slots, as in continuous batching; what arrives is prefilled between two steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from backends.contract import Feed, OutOfMemory, Step, StreamRequest
from backends.packing.packed_model import PackedModel, out_of_memory
from backends.packing.slots import Prefilled, SlotCache, prefilled


@dataclass(slots=True)
class _Sequence:
    """An active sequence: where its newest token stands, and how many are still to come."""

    index: int
    position: int
    left: int
    newest: int


def streamed(
    model: PackedModel, feed: Feed, room: int, length: int, clock: Callable[[], float], budget: int
) -> Iterator[Step]:
    """Yield each step as it is done on the device; see `StreamingBackend.stream`. Prefill rows hold `budget` tokens."""
    return out_of_memory_told(_Streamer(model, feed, room, length, clock, budget).run(), model.device)


def out_of_memory_told(steps: Iterator[Step], device: torch.device) -> Iterator[Step]:
    """The steps; OutOfMemory, with nothing held, where the device's memory runs out."""
    try:
        yield from steps
    except (torch.OutOfMemoryError, RuntimeError) as error:
        reason = out_of_memory(error)
    else:
        return
    # Outside the handler the traceback, which holds the tensors, is gone.
    if device.type == "cuda":
        torch.cuda.empty_cache()
    raise OutOfMemory(reason)


class _Streamer:
    def __init__(
        self, model: PackedModel, feed: Feed, room: int, length: int, clock: Callable[[], float], budget: int
    ) -> None:
        self._model, self._feed, self._clock, self._budget = model, feed, clock, budget
        self._length = length
        self._slots: SlotCache[_Sequence] = SlotCache(model, room, length)

    def run(self) -> Iterator[Step]:
        active = self._slots.active
        while True:
            arrived = self._feed.take(self._slots.free, not active)
            if arrived:
                yield from self._fill_slots(arrived)
            elif arrived is None and not active:
                return
            if active:
                yield self._decode()
                self._remove_ended()

    @torch.inference_mode()
    def _fill_slots(self, arrived: Sequence[StreamRequest]) -> Iterator[Step]:
        for request in arrived:
            if len(request.prompt) + request.new_tokens > self._length:
                raise ValueError(
                    f"{len(request.prompt)} + {request.new_tokens} tokens do not fit into slots of {self._length}"
                )
        for prompts in prefilled(self._model, [request.prompt for request in arrived], self._budget):
            if prompts:
                yield self._activate(prompts, arrived)
        self._remove_ended()

    def _activate(self, prompts: list[Prefilled], arrived: Sequence[StreamRequest]) -> Step:
        for prompt in prompts:
            request = arrived[prompt.index]
            self._slots.add(prompt, _Sequence(request.index, len(request.prompt) - 1, request.new_tokens, 0))
        return self._step(self._slots.active[-len(prompts) :], torch.stack([prompt.hidden for prompt in prompts]))

    @torch.inference_mode()
    def _decode(self) -> Step:
        active = self._slots.active
        return self._step(active, self._slots.decode([s.newest for s in active], [s.position for s in active]))

    def _step(self, sequences: list[_Sequence], hidden: torch.Tensor) -> Step:
        tokens: list[int] = self._model.logits(hidden).argmax(-1).tolist()
        if self._model.device.type == "cuda":
            torch.cuda.synchronize(self._model.device)
        now = self._clock()
        for sequence, token in zip(sequences, tokens, strict=True):
            sequence.newest = token
            sequence.position += 1
            sequence.left -= 1
        return Step(now, tuple((s.index, s.newest) for s in sequences))

    @torch.inference_mode()
    def _remove_ended(self) -> None:
        self._slots.remove(lambda sequence: sequence.left <= 0)
