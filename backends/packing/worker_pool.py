"""Worker threads that each compute a row of their own, with a share of the processor's cores.

After every small matrix product and every pass over memory, cores that share it wait for each other; whole rows do not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

MAX_WORKERS = 8
"""Worker threads at most: each holds the activations of its row."""


@dataclass(frozen=True)
class WorkerPool:
    """Where work is submitted, and how many pieces of it run at a time."""

    executor: Executor
    count: int


class Cancelled(Exception):
    """The consumer of this worker's results has stopped."""


_cancelled: ContextVar[threading.Event | None] = ContextVar("cancelled", default=None)


def check_cancelled() -> None:
    """Raise Cancelled in a worker whose consumer has stopped. Called once a layer, so that Ctrl-C is obeyed soon."""
    event = _cancelled.get()
    if event is not None and event.is_set():
        raise Cancelled


@contextmanager
def single_worker() -> Generator[WorkerPool]:
    """The caller's own thread, and whatever cores or device it has."""
    yield WorkerPool(_Inline(), 1)


@contextmanager
def worker_threads(count: int) -> Generator[WorkerPool]:
    """`count` threads that share torch's cores evenly. Leaving the context cancels what still runs."""
    import torch  # here, since planning a run needs this module but not torch

    cores = torch.get_num_threads()
    cancelled = threading.Event()

    def begin() -> None:
        torch.set_num_threads(max(1, cores // count))
        _cancelled.set(cancelled)

    executor = ThreadPoolExecutor(count, "packing-worker", begin)
    try:
        yield WorkerPool(executor, count)
    finally:
        cancelled.set()
        executor.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)  # else torch's new threads would begin with a worker's share


class _Inline(Executor):
    """Does what is submitted at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
