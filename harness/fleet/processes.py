"""Processes of a night: begun so that none outlives who began it, waited for without asking again and again, ended whole."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import select
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence
from typing import IO, Any

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
"""Loaded before any fork: a child that has only forked must not load a library."""
Process = subprocess.Popen[bytes]


def started(
    words: Sequence[str], output: IO[bytes], errors: IO[bytes], env: Mapping[str, str] | None = None
) -> Process:
    """Begin a process in a group of its own, which Linux kills when the thread that calls this ends, however it ends."""
    die = functools.partial(_die_with, os.getpid())
    return subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=env, start_new_session=True,
        preexec_fn=die,  # noqa: PLW1509 (after the fork it calls two C functions, which are loaded, and takes no lock)
    )  # fmt: skip


def _die_with(parent: int) -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(1)


def wait_for(processes: Sequence[Process], seconds: float) -> list[Process]:
    """Those that have ended, after at most so many seconds; at once where one has."""
    if ended := [process for process in processes if process.poll() is not None]:
        return ended
    poll, opened = select.poll(), list[int]()
    try:
        for process in processes:
            opened.append(os.pidfd_open(process.pid))
            poll.register(opened[-1], select.POLLIN)
        poll.poll(max(0.0, seconds) * 1000)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return [process for process in processes if process.poll() is not None]


def end(processes: Sequence[Process], number: int, seconds: float) -> None:
    """Send a signal to each, and kill the groups of those that have not ended after so many seconds."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    for process in processes:
        kill(process)


def kill(process: Process) -> None:
    """Kill it and what is left of its group, and wait for its end."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def stopped_by_signals() -> Generator[None]:
    """Within, the first SIGTERM is a KeyboardInterrupt as Ctrl-C is, and those after the first of either are passed over, so
    that what is being put in order is not broken off."""

    def interrupt(_number: int, _frame: Any) -> None:
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in STOPPING}
    for number in STOPPING:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


STOPPING = (signal.SIGINT, signal.SIGTERM)
