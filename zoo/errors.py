"""The errors a user can meet. Each is one paragraph: what happened, where, what to do next."""

from __future__ import annotations


class MinizooError(Exception):
    """An error for the user's eyes; the command line prints it without a traceback and exits with `exit_code`.

    `what` is a whole sentence that says what happened and where (file, line, task); `mend` is the next thing to do.
    """

    exit_code = 2

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(f"{what} {mend}".strip())
        self.what = what
        self.mend = mend


class UsageError(MinizooError):
    """The request itself is wrong: an unknown name, a broken file, options that do not fit together."""

    exit_code = 2


class EnvironmentFault(MinizooError):
    """The request is fine, the surroundings are not: no network, no disk, no isolation, no such device."""

    exit_code = 4


def one_line(error: Exception) -> str:
    """An exception's message without its line breaks."""
    return " ".join(str(error).split())[:300]
