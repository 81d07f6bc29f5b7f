"""WorkerPool: threads that each compute a row of their own, with a share of the processor's cores.

After every small matrix product and every pass over memory cores that share it wait for each other; whole rows do not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

MOST = 8
"""WorkerPool at most: each holds the activations of its row."""


@dataclass(frozen=True)
class WorkerPool:
    """Where work is submitted, and how many pieces of it run at a time."""

    pool: Executor
    count: int


class Cancelled(Exception):
    """Nobody waits for this lane's work any more."""


_given_up: ContextVar[threading.Event | None] = ContextVar("given up", default=None)


def check_cancelled() -> None:
    """Raise Cancelled in a lane whose results nobody waits for: asked once a layer, so that Ctrl-C is obeyed soon."""
    event = _given_up.get()
    if event is not None and event.is_set():
        raise Cancelled


@contextmanager
def single_worker() -> Generator[WorkerPool]:
    """The caller's own thread, and whatever cores or device it has."""
    yield WorkerPool(_Inline(), 1)


@contextmanager
def worker_threads(count: int) -> Generator[WorkerPool]:
    """`count` threads that share torch's cores evenly. What still runs at the end is given up."""
    import torch  # here, since to plan a run nobody needs it

    cores = torch.get_num_threads()
    left = threading.Event()

    def begin() -> None:
        torch.set_num_threads(max(1, cores // count))
        _given_up.set(left)

    pool = ThreadPoolExecutor(count, "lane", begin)
    try:
        yield WorkerPool(pool, count)
    finally:
        left.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)  # new threads of torch would take the lanes' share for their own


class _Inline(Executor):
    """Does what is submitted at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
