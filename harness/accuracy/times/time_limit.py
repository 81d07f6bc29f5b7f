"""A limit on the seconds of computing: what runs is stopped where it is once they are spent."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager


class TimeIsUp(BaseException):
    """No Exception, so that what an engine does about its own errors leaves it alone."""


class Budget:
    """Seconds of computing that are left; warming up takes none of them, and no more than they are."""

    def __init__(self, most_s: float) -> None:
        self.most_s = self._left = most_s

    @contextmanager
    def share(self, part: float) -> Generator[Clock]:
        """A clock with this part of what is left; when it has run out, the block ends where it is."""
        clock = Clock(self._left * part)
        try:
            yield clock
        except TimeIsUp:
            pass
        finally:
            self._left -= clock.spent


class Clock:
    """Counts what is measured, and stops it once there is no time left."""

    def __init__(self, most_s: float) -> None:
        self._most_s, self.spent = most_s, 0.0

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self._most_s - self.spent)

    @contextmanager
    def stopped_in_time(self, counted: bool = True) -> Generator[Callable[[], float]]:
        """Raises TimeIsUp inside the block; gives a function of the seconds since it began."""
        began = time.perf_counter()
        try:
            with _alarm(self.left if counted else self._most_s):
                yield lambda: time.perf_counter() - began
        finally:
            self.spent += (time.perf_counter() - began) if counted else 0.0


@contextmanager
def _alarm(seconds: float) -> Generator[None]:
    """Raise TimeIsUp in this thread after so many seconds, wherever it is by then; only the main thread can be reached."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    armed = [True]

    def ring(*_: object) -> None:
        if armed[0]:
            raise TimeIsUp

    began, handler = time.monotonic(), signal.signal(signal.SIGALRM, ring)
    others, interval = signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        armed[0] = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if others:
            signal.setitimer(signal.ITIMER_REAL, max(others - (time.monotonic() - began), 1e-3), interval)
