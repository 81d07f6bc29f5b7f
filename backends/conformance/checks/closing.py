"""The check of closing: a backend that is closed leaves no process, no thread and no device memory behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from backends.conformance.outcome import Fail, Passed, Skip, passed
from backends.conformance.subject import Subject
from backends.contract import OutOfMemory, ScoreRequest
from zoo.errors import EnvironmentIssue, one_line

T = TypeVar("T")

LEFT = 64 << 20
"""Bytes of device memory that may stay: an allocator's own, not a model's."""
PATIENCE_S = 10.0
"""Seconds that a process which was told to end has for it."""


def closing(subject: Subject) -> Passed:
    """A second copy is opened, asked once and closed."""
    if subject.reopen is None:
        raise Skip("the backend was not given in a form that can be opened again")
    processes, threads, free = children(), threading.active_count(), _free_memory(subject.backend.device)
    try:
        second = subject.reopen()
    except (EnvironmentIssue, OutOfMemory) as error:  # an engine may hold the whole of a device
        raise Skip(f"a second copy cannot be opened beside the first ({one_line(error)})") from None
    tokens = subject.sequences.drawn(4, 95)
    list(second.score([ScoreRequest(tokens[:2], tokens[2:])]))
    second.close()
    del second
    left = _after(lambda: children() - processes)
    if left:
        raise Fail(f"{len(left)} processes are left behind by closing", processes=len(left))
    more = _after(lambda: threading.active_count() - threads)
    if more > 0:
        raise Fail(f"{more} threads are left behind by closing", threads=more)
    held = 0 if free is None else _after(lambda: max(0, free - (_free_memory(subject.backend.device) or 0) - LEFT))
    if held:
        raise Fail(f"{held + LEFT} bytes of device memory are left behind by closing", bytes=held + LEFT)
    (again,) = subject.scores([ScoreRequest(tokens[:2], tokens[2:])])
    told = "no process or thread is left" + ("" if free is None else ", and no device memory")
    return passed(told, logprob=again.logprob)


def children() -> set[int]:
    """Ids of this process's own children."""
    found: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        found |= {int(word) for word in path.read_text().split()}
    return found


def _after(measure: Callable[[], T]) -> T:
    """What is measured once it is nothing, or patience has run out."""
    until = time.monotonic() + PATIENCE_S
    while (found := measure()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def _free_memory(device: str) -> int | None:
    """Bytes that a GPU has free; None on a CPU, whose allocator keeps what it was given."""
    if not device.startswith("cuda"):
        return None
    import torch

    return torch.cuda.mem_get_info(device)[0] if torch.cuda.is_available() else None
