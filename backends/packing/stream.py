"""Streaming at a fixed output length: every step's tokens with the time at which the device had finished them.

Sequences decode in slots, as in continuous batching; what arrives is prefilled between two steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from backends.contract import Feed, Step, StreamRequest
from backends.packing.attention import Layer
from backends.packing.generate import DecodePass, Ready, move_slot, prefilled, slots_like
from backends.packing.packed_model import PackedModel, out_of_memory
from backends.packing.scheduler import OutOfMemory


@dataclass(slots=True)
class _ActiveSequence:
    """A sequence that decodes: where its newest token stands, and how many are still to come."""

    index: int
    position: int
    left: int
    newest: int


def streamed(
    model: PackedModel, feed: Feed, room: int, length: int, clock: Callable[[], float], budget: int
) -> Iterator[Step]:
    """Yield each step as it is done on the device; see `StreamingBackend.stream`. Prefill rows hold `budget` tokens."""
    try:
        yield from _Streamer(model, feed, room, length, clock, budget).run()
    except (torch.OutOfMemoryError, RuntimeError) as error:
        reason = out_of_memory(error)
    else:
        return
    # Outside the handler the traceback, which holds the tensors, is gone.
    if model.device.type == "cuda":
        torch.cuda.empty_cache()
    raise OutOfMemory(reason)


class _Streamer:
    def __init__(
        self, model: PackedModel, feed: Feed, room: int, length: int, clock: Callable[[], float], budget: int
    ) -> None:
        self._model, self._feed, self._clock = model, feed, clock
        self._room, self._length, self._budget = room, length, budget
        self._cache: list[Layer] = []
        self._active: list[_ActiveSequence] = []

    def run(self) -> Iterator[Step]:
        while True:
            arrived = self._feed.take(self._room - len(self._active), not self._active)
            if arrived:
                yield from self._fill_slots(arrived)
            elif arrived is None and not self._active:
                return
            if self._active:
                yield self._decode()
                self._leave()

    @torch.inference_mode()
    def _fill_slots(self, arrived: Sequence[StreamRequest]) -> Iterator[Step]:
        for ready in prefilled(self._model, [request.prompt for request in arrived], self._budget):
            if ready:
                yield self._activate(ready, arrived)
        self._leave()

    def _activate(self, ready: list[Ready], arrived: Sequence[StreamRequest]) -> Step:
        if not self._cache:
            self._cache = slots_like(ready[0], self._room, self._length)
        for one in ready:
            one.copy_into(self._cache, len(self._active))
            request = arrived[one.index]
            self._active.append(_ActiveSequence(request.index, len(request.prompt) - 1, request.new_tokens, 0))
        return self._step(self._active[-len(ready) :], torch.stack([one.hidden for one in ready]))

    @torch.inference_mode()
    def _decode(self) -> Step:
        newest = torch.tensor([s.newest for s in self._active], device=self._model.device)[:, None]
        positions = torch.tensor([s.position for s in self._active], device=self._model.device)
        hidden = self._model.hidden(newest, positions[:, None], DecodePass(self._cache, positions))
        return self._step(self._active, hidden)

    def _step(self, sequences: list[_ActiveSequence], hidden: torch.Tensor) -> Step:
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
    def _leave(self) -> None:
        """Free the slots of those who have all their tokens; the last in the row moves up."""
        for slot in range(len(self._active) - 1, -1, -1):
            if self._active[slot].left <= 0:
                mover = self._active.pop()
                if slot < len(self._active):
                    self._active[slot] = mover
                    move_slot(self._cache, slot, len(self._active))
