"""Signals that end a run: it is let finish its step and save."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Generator
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Ctrl-C; what torchrun, Slurm and Kubernetes send; what `sbatch --signal=B:USR1@600` sends before the time is up."""


class StopRequest:
    """The first signal that came, None as long as none did; the second has its usual effect."""

    def __init__(self) -> None:
        self.signal: str | None = None
        self._usual = {number: signal.getsignal(number) for number in STOPPING}

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Take down the signal, and be told of no other."""
        self.signal = signal.Signals(number).name
        self.leave()

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
