"""What every error of minizoo has: a code, an exit code, what happened and what to do next; its families."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar


class MinizooError(Exception):
    """An error for the user's eyes; the command line shows it without a traceback and exits with `exit_code`."""

    exit_code = 2
    code: ClassVar[str]
    """The class's name in lower case, its words joined by hyphens: `unknown-model`."""

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(f"{what} {hint}".strip())
        self.what = what
        self.hint = hint


class InputError(MinizooError):
    """The request itself is wrong: an unknown name, a broken file, options that do not fit together."""


class EnvironmentIssue(MinizooError):
    """The request is fine, the surroundings are not: no network, no disk, no isolation, no such device."""

    exit_code = 4


class InternalError(MinizooError):
    """minizoo itself is at fault; please report it with the log file."""

    exit_code = 70


def causes() -> Iterator[type[MinizooError]]:
    """Every class that is raised, in the order in which they are defined."""
    waiting: list[type[MinizooError]] = [InputError, EnvironmentIssue, InternalError]
    while waiting:
        cause = waiting.pop(0)
        if cause not in (InputError, EnvironmentIssue):
            yield cause
        waiting[:0] = cause.__subclasses__()


def one_line(error: BaseException) -> str:
    """An exception's message without its line breaks."""
    return " ".join(str(error).split())[:300]
