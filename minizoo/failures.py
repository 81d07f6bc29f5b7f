"""From any exception to an error with a cause: what click, the system or a fault of minizoo's own raised included."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.errors import EnvironmentIssue, InputError, InternalError, MinizooError, one_line


class Usage(InputError):
    """The command line cannot be read: an unknown option, a missing argument, a value of the wrong type."""


class SystemRefused(EnvironmentIssue):
    """The operating system refused a call; the path and its reason are named."""


class Interrupted(MinizooError):
    """Ctrl-C, or SIGINT. Finished work is kept."""

    exit_code = 130


def as_error(exception: BaseException, log: Path | None = None) -> MinizooError:
    """The error that an exception is shown as; an exception that nobody expected is an InternalError that names `log`."""
    if isinstance(exception, MinizooError):
        return exception
    if isinstance(exception, click.ClickException):
        return _usage(exception)
    if isinstance(exception, click.Abort | KeyboardInterrupt):
        return Interrupted(
            "Interrupted.",
            "Finished work is kept; `eval`, `prune` and `data pull` go on from there with the same command.",
        )
    if isinstance(exception, OSError):
        return refused(exception)
    where = f"its log is {log}" if log else "`minizoo --debug …` shows where"
    return InternalError(
        f"Internal error, a bug in minizoo and no mistake of yours ({type(exception).__name__}: {one_line(exception)}).",
        f"Finished work is kept. Please report it with the command; {where}.",
    )


def refused(error: OSError) -> SystemRefused:
    """What the system said, with the path that it was about."""
    where = f" ({error.filename})" if error.filename else ""
    return SystemRefused(
        f"The system refused: {error.strerror or error}{where}.",
        "Check the path, its permissions and the free space (`minizoo doctor`).",
    )


def _usage(error: click.ClickException) -> Usage:
    context = error.ctx if isinstance(error, click.UsageError) else None
    said = error.format_message().strip()
    path = context.command_path if context else "minizoo"
    return Usage(said if said.endswith((".", "?", "!")) else f"{said}.", f"`{path} --help` lists the options.")
