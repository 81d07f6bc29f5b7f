"""Streaming at a fixed output length: every step's tokens with the time at which the device had finished them.

Sequences decode in seats, as in continuous batching; what arrives is prefilled between two steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from backends.contract import Feed, Step, StreamRequest
from backends.packing.attention import Layer
from backends.packing.generate import DecodePass, Ready, prefilled, seats_like, take_seat
from backends.packing.packed_model import PackedModel, out_of_memory
from backends.packing.scheduler import OutOfMemory


@dataclass(slots=True)
class _Seated:
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
        self._seated: list[_Seated] = []

    def run(self) -> Iterator[Step]:
        while True:
            arrived = self._feed.take(self._room - len(self._seated), not self._seated)
            if arrived:
                yield from self._seat(arrived)
            elif arrived is None and not self._seated:
                return
            if self._seated:
                yield self._decode()
                self._leave()

    @torch.inference_mode()
    def _seat(self, arrived: Sequence[StreamRequest]) -> Iterator[Step]:
        for ready in prefilled(self._model, [request.prompt for request in arrived], self._budget):
            if ready:
                yield self._sit_down(ready, arrived)
        self._leave()

    def _sit_down(self, ready: list[Ready], arrived: Sequence[StreamRequest]) -> Step:
        if not self._cache:
            self._cache = seats_like(ready[0], self._room, self._length)
        for one in ready:
            one.copy_into(self._cache, len(self._seated))
            request = arrived[one.index]
            self._seated.append(_Seated(request.index, len(request.prompt) - 1, request.new_tokens, 0))
        return self._step(self._seated[-len(ready) :], torch.stack([one.hidden for one in ready]))

    @torch.inference_mode()
    def _decode(self) -> Step:
        newest = torch.tensor([s.newest for s in self._seated], device=self._model.device)[:, None]
        positions = torch.tensor([s.position for s in self._seated], device=self._model.device)
        hidden = self._model.hidden(newest, positions[:, None], DecodePass(self._cache, positions))
        return self._step(self._seated, hidden)

    def _step(self, sequences: list[_Seated], hidden: torch.Tensor) -> Step:
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
        """Free the seats of those who have all their tokens; the last in the row moves up."""
        for seat in range(len(self._seated) - 1, -1, -1):
            if self._seated[seat].left <= 0:
                mover = self._seated.pop()
                if seat < len(self._seated):
                    self._seated[seat] = mover
                    take_seat(self._cache, seat, len(self._seated))
