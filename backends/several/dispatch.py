"""Chunks of a call, taken by workers as each is free; what a dead worker held is taken by the others."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backends.workers.backend import WorkerBackend
from backends.workers.face import Asked
from backends.workers.process import Stopped
from zoo.errors import EnvironmentIssue, RequestKills

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Ended:
    """A worker takes no more chunks: none is left (`error` is None), or it broke."""

    worker: WorkerBackend
    error: Exception | None = None
    goes_on: bool = False
    """Whether what it held went back for the others, so that the call goes on without it."""


class Dispatch:
    """One call over several workers, a thread each. `alive` has the workers that did not die of it."""

    def __init__(
        self, workers: Sequence[WorkerBackend], requests: Sequence[Any], parts: Sequence[Sequence[int]]
    ) -> None:
        self.alive = list(workers)
        self._requests = requests
        self._waiting = deque(parts)
        self._held = 0
        self._stopped = False
        self._changed = threading.Condition()
        self._come: queue.Queue[Any] = queue.Queue()

    def answers(self) -> Generator[Any]:
        """Answers as they come, of all workers; RequestKills at the end where requests end a worker alone.

        Raises what a worker raises of a request, and where no worker is left the error of the last.
        """
        threads = {w.worker: threading.Thread(target=self._work, args=(w,), daemon=True) for w in self.alive}
        killed: list[RequestKills] = []
        running = len(threads)
        for thread in threads.values():
            thread.start()
        try:
            while running:
                come = self._come.get()
                if isinstance(come, RequestKills):
                    killed.append(come)
                elif not isinstance(come, _Ended):
                    yield come
                else:
                    running -= 1
                    self._ended(come)
        finally:
            self._stop(threads)
        if killed:
            raise RequestKills(" ".join(error.what for error in killed), killed[0].hint)

    def _ended(self, end: _Ended) -> None:
        if end.error is None:
            return
        if not end.goes_on:
            raise end.error
        self.alive.remove(end.worker)
        if not self.alive:
            raise end.error
        log.warning("%s Its work goes on without %s, on %s.", end.error, end.worker.place, self._others())

    def _others(self) -> str:
        return ", ".join(worker.place for worker in self.alive)

    def _work(self, worker: WorkerBackend) -> None:
        """What a worker's thread does."""
        end = _Ended(worker)
        try:
            while (part := self._taken()) is not None:
                if (broken := self._answered(worker, part)) is not None:
                    end = broken
                    break
        except Stopped:
            pass
        except Exception as error:  # whatever it is, the call is told
            end = _Ended(worker, error)
        self._come.put(end)

    def _answered(self, worker: WorkerBackend, part: Sequence[int]) -> _Ended | None:
        """Have a chunk answered; how the worker ended where it did."""
        answering = worker.asked(self._requests, [part])
        left: list[int] = []
        end = None
        try:
            for answer in answering:
                self._come.put(answer)
                if self._stopped:
                    raise Stopped
        except RequestKills as error:
            if answering.given_up:
                end = _Ended(worker, error)
            else:
                self._come.put(error)
        except EnvironmentIssue as error:  # of the worker and its device, not of a request
            left, end = list(answering.left), _Ended(worker, error, goes_on=True)
        finally:
            answering.close()
            self._done(left)
        return end

    def _taken(self) -> Sequence[int] | None:
        """The next chunk. Waits while others may still give theirs back; None where all is answered, or the call is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._held or self._stopped)
            if not self._waiting or self._stopped:
                return None
            self._held += 1
            return self._waiting.popleft()

    def _done(self, left: list[int]) -> None:
        with self._changed:
            self._held -= 1
            if left:
                self._waiting.appendleft(left)
            self._changed.notify_all()

    def _stop(self, threads: Mapping[Asked, threading.Thread]) -> None:
        """See that no thread is left: whoever still waits for its worker is told to stop."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        busy = [worker for worker, thread in threads.items() if thread.is_alive()]
        for worker in busy:
            worker.stop()
        for thread in threads.values():
            thread.join()
        for worker in busy:
            worker.go_on()
