"""Streaming by a plain decode, for models that packing does not follow: each sequence alone, with the cache its model makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from backends.contract import Feed, Step, StreamRequest
from backends.hf.plain_ways import Cache, advance


@dataclass
class _Sequence:
    """An active sequence: its tokens, its cache, and how many tokens are still to come."""

    request: StreamRequest
    tokens: list[int]
    left: int
    cache: Cache = field(default_factory=Cache)


def plain_stream(model: Any, feed: Feed, room: int, clock: Callable[[], float], cached: bool) -> Iterator[Step]:
    """Yield each step as it is done on the device; a step is one token of one sequence. See `StreamingBackend.stream`.

    Not `cached`: every token reads the whole sequence again.
    """
    active: list[_Sequence] = []
    while True:
        arrived = feed.take(room - len(active), not active)
        if arrived is None and not active:
            return
        active.extend(_Sequence(request, list(request.prompt), request.new_tokens) for request in arrived or ())
        for sequence in active:
            yield _next(model, sequence, clock, cached)
        active = [sequence for sequence in active if sequence.left]


@torch.inference_mode()
def _next(model: Any, sequence: _Sequence, clock: Callable[[], float], cached: bool) -> Step:
    """Decode a sequence's next token."""
    logits, sequence.cache = advance(model, sequence.tokens, sequence.cache, cached)
    token = int(logits.argmax())
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)
    now = clock()
    sequence.tokens.append(token)
    sequence.left -= 1
    return Step(now, ((sequence.request.index, token),))
