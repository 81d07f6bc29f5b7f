"""stdout and stderr that outlive their reader: after `| head` closed the pipe, a command ends with its own exit code."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Descriptor(io.FileIO):
    """A descriptor for writing that turns into /dev/null when the pipe behind it is closed.

    click and rich both answer a closed pipe with exit code 1, which in minizoo means a regression.
    """

    def write(self, data: ReadableBuffer, /) -> int | None:
        """Write as FileIO does; what goes into a closed pipe counts as written."""
        try:
            return super().write(data)
        except BrokenPipeError:
            discard(self.fileno())
            return memoryview(data).nbytes


def outlive_reader() -> None:
    """Replace sys.stdout and sys.stderr by streams that never raise BrokenPipeError."""
    sys.stdout = _stream(1, sys.stdout)
    sys.stderr = _stream(2, sys.stderr)


def discard(descriptor: int) -> None:
    """Let everything that is written to the descriptor from now on vanish."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def _stream(descriptor: int, today: TextIO | None) -> TextIO:
    if today is None:  # the shell closed it: `>&-`
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 (open until the process ends)
    raw = _Descriptor(descriptor, "w", closefd=False)
    lines = descriptor == 2 or today.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=today.encoding, errors=today.errors, line_buffering=lines)
