"""What is said of an evaluation that an engine or the disk broke off: what broke, whether it will recur, what to try."""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

from backends.contract import Backend
from harness.accuracy.resume_log import ResumeLog
from harness.records.outcome import Failure
from zoo.errors import BREAKS, DeviceMemory, EnvironmentIssue, MinizooError, NotWritable

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system says where there is no room: of the disk, of a quota, of a limit on a file's size."""


class EngineRaisedError(Exception):
    """Carries an engine's exception out of a loop that writes files too: an OSError of the two is not of one cause."""


def answers_of(call: Callable[[list[Any]], Iterable[Any]], requests: list[Any]) -> Generator[Any]:
    """What an engine answers; whatever it raises but a MinizooError of the request is the cause of an EngineRaisedError."""
    try:
        yield from call(requests)
    except BREAKS as error:
        raise EngineRaisedError from error
    except MinizooError:
        raise
    except Exception as error:
        raise EngineRaisedError from error


def broken_off(failure: Failure, backend: Backend, log: ResumeLog, eager: bool) -> EnvironmentIssue:
    """The error for a run that an engine broke off, whose answers the log keeps.

    That the same command goes on is said where the cause may pass, and the run did not break there before.
    """
    again = log.fault == (failure.message, log.kept)
    told = f"The {backend.name} backend broke on {backend.device} ({failure.message})."
    if failure.hint is not None:
        told = failure.message
    if again:
        told += f" It broke at the same place as the run before it, {log.kept:,} answers kept."
    return failure.cause(told, failure.hint if failure.hint and not again else _hint(failure, again, eager))


def not_written(results: Path, error: OSError) -> NotWritable:
    """The error for a result that the system did not take."""
    first = "free some space" if error.errno in FULL else "mend what the system refuses"
    return NotWritable(
        f"A result could not be written to {results} ({error.strerror or error}).",
        f"What was finished is kept: {first}, and the same command goes on from there.",
    )


def _hint(failure: Failure, again: bool, eager: bool) -> str:
    if failure.cause is DeviceMemory:
        other = "Take a larger device or a smaller `--dtype`."
        return other if again else f"{other} If others hold its memory, the same command goes on once they are done."
    if failure.may_pass and not again:
        return (
            "What was answered is kept: once the cause is gone the same command goes on from there. "
            "`minizoo --debug` shows the traceback."
        )
    other = "another `--backend` or `--dtype`" if eager else "`--eager`, another `--backend` or `--dtype`"
    return f"Expect the same again: try {other}, and report it with the traceback that `minizoo --debug eval …` shows."
