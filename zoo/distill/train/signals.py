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
    """The signal that came, None as long as none did."""

    signal: str | None = None


@contextlib.contextmanager
def stop_request() -> Generator[StopRequest]:
    """While open, the first signal is noted and the second has its usual effect. Only a main thread can be told."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in STOPPING}

    def note(number: int, _frame: FrameType | None) -> None:
        request.signal = signal.Signals(number).name
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in STOPPING:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
