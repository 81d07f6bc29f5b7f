"""Signals that end a run: it is let finish its step and save."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Generator
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Ctrl-C; what torchrun, Slurm and Kubernetes send; what `sbatch --signal=USR1@600` sends before the time is up.

torchrun hands SIGINT and SIGTERM on to its processes, others with `--signals-to-handle`; 30 seconds later, or after
`--shutdown-timeout`, it kills them.
"""
ONE_WISH = 5.0
"""Seconds within which a second signal is the first one come by another way: from the terminal, and handed on by torchrun."""


class StopRequest:
    """The first signal that came, None as long as none did; one that comes later has its usual effect."""

    def __init__(self) -> None:
        self.signal: str | None = None
        self._came = 0.0
        self._usual = {number: signal.getsignal(number) or signal.SIG_DFL for number in STOPPING}

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Take the signal down; where one stands already, let this one have its effect."""
        now = time.monotonic()
        if self.signal is None:
            self.signal, self._came = signal.Signals(number).name, now
        elif now - self._came > ONE_WISH:
            self.leave()
            signal.raise_signal(number)

    @contextlib.contextmanager
    def lifted(self) -> Generator[None]:
        """While open, a signal has its usual effect at once: for what takes long and leaves nothing undone."""
        if not _can_be_told() or self.signal is not None:
            yield
            return
        self.leave()
        try:
            yield
        finally:
            self.listen()

    def listen(self) -> None:
        """Be told of signals."""
        for number in STOPPING:
            signal.signal(number, self.note)

    def leave(self) -> None:
        """Let signals have their usual effect again."""
        for number, handler in self._usual.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stop_request() -> Generator[StopRequest]:
    """While open, a signal is noted in place of its usual effect. Only a main thread can be told."""
    request = StopRequest()
    if not _can_be_told():
        yield request
        return
    request.listen()
    try:
        yield request
    finally:
        request.leave()


def _can_be_told() -> bool:
    return threading.current_thread() is threading.main_thread()
