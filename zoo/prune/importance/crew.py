"""Work shared over devices: a thread a device, outcomes in the order of the work, so that nothing depends on who was faster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

import torch

from zoo.errors import DeviceMemory
from zoo.prune.importance.devices import is_memory

Job = TypeVar("Job")
Result = TypeVar("Result")

AHEAD = 2
"""Jobs a device that wait for it or for their turn: more would only hold memory."""


class Crew:
    """A context manager. `share` computes job i on device i modulo their number; one device works in the caller's thread."""

    def __init__(self, devices: Sequence[str]) -> None:
        self.devices = tuple(devices)
        self._pools: list[ThreadPoolExecutor] = []
        self._most: list[int | None] = [None] * len(self.devices)

    def __enter__(self) -> Self:
        if len(self.devices) > 1:
            threads = torch.get_num_threads()  # a new thread would take all cores, and round otherwise
            self._pools = [ThreadPoolExecutor(1, initializer=_begin, initargs=(threads,)) for _ in self.devices]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in self._pools:
            pool.shutdown(wait=True, cancel_futures=True)

    def share(self, compute: Callable[[int, Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """`compute(device's number, job)` of every job, in the order of the jobs."""
        if not self._pools:
            yield from (compute(0, job) for job in jobs)
            return
        waiting: deque[Future[Result]] = deque()
        for at, job in enumerate(jobs):
            if len(waiting) >= AHEAD * len(self.devices):
                yield waiting.popleft().result()
            who = at % len(self.devices)
            waiting.append(self._pools[who].submit(_inferred, compute, who, job))
        while waiting:
            yield waiting.popleft().result()

    def pieces(self, at: int, compute: Callable[[slice], Result], rows: int) -> list[Result]:
        """`compute` of rows 0 … rows−1 at once; where device `at` runs out of memory, of half as many, and so from then on.

        Raises DeviceMemory where one row is too many.
        """
        found: list[Result] = []
        first = 0
        while first < rows:
            piece = slice(first, min(rows, first + (self._most[at] or rows)))
            try:
                found.append(compute(piece))
            except RuntimeError as error:
                if not is_memory(error):
                    raise
            else:
                first = piece.stop
                continue
            # here, where the error no longer holds what was in memory when it was raised
            self._most[at] = (piece.stop - first) // 2
            if not self._most[at]:
                raise DeviceMemory(
                    f"One row of calibration tokens is too much for the memory of {self.devices[at]}.",
                    "Take a smaller --length, --dtype bfloat16, or a larger --device.",
                )
            if self.devices[at] != "cpu":
                torch.cuda.empty_cache()
        return found


def _begin(threads: int) -> None:
    torch.set_num_threads(threads)


def _inferred(compute: Callable[[int, Job], Result], who: int, job: Job) -> Result:
    with torch.inference_mode():  # is a thread's own
        return compute(who, job)
