"""The forward pass that is running: what attention and the last layer look like in it.

transformers calls an attention function, and hooks on modules, with no argument of ours. So `running` names the pass while a
model runs, and what is called inside the model (attention, CPU layers, hooks of the last layer) asks `running_pass`. It is a
context variable because worker threads run passes of their own at the same time.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from backends.packing.worker_pool import check_cancelled

Layer = tuple[torch.Tensor, torch.Tensor]
"""Keys and values of one layer, `[1, kv heads, tokens, head dim]` each."""


class Unsupported(Exception):
    """The model computes in a way that packing does not follow."""


@dataclass(frozen=True)
class Reach:
    """Which of its ancestors a token sees: all of them, those nearer than `window` tokens, or those in its own `chunk`."""

    window: int | None = None
    chunk: int | None = None

    def covers(self, length: int) -> bool:
        """Whether in a sequence of that length every token sees all before it."""
        return length <= min(self.window or length, self.chunk or length)

    def sees(self, queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        """For positions of queries and of keys on one path: whether the query sees the key."""
        seen = keys <= queries
        if self.window is not None:
            seen = seen & (queries - keys < self.window)
        if self.chunk is not None:
            seen = seen & (queries // self.chunk == keys // self.chunk)
        return seen


class Pass(Protocol):
    """One forward pass: what attention computes in it."""

    @property
    def picked(self) -> torch.Tensor | None:
        """Tokens whose outputs are wanted, when not all are."""
        ...

    @property
    def trims(self) -> bool:
        """Whether the last layer's attention is done, so that only picked tokens are needed from here on."""
        ...

    @property
    def size(self) -> int:
        """Tokens of the pass."""
        ...

    def attend(self, layer: int, q: Any, k: Any, v: Any, scale: float | None, reach: Reach) -> torch.Tensor:
        """Attention of `[1, heads, tokens, head dim]`; returns `[1, tokens, heads, head dim]`.

        In the last layer `q` may hold the picked tokens alone, and then so does what is returned.
        """
        ...


_running: ContextVar[Pass] = ContextVar("running pass")


@contextmanager
def running(current: Pass) -> Generator[None]:
    """Make `current` the pass that `running_pass` returns in this thread."""
    token = _running.set(current)
    try:
        yield
    finally:
        _running.reset(token)


def running_pass() -> Pass:
    """The pass that is running; raises Cancelled in a worker whose consumer has stopped."""
    check_cancelled()
    return _running.get()
