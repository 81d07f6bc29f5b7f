"""Options that several commands share."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

results_option = click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    envvar="MINIZOO_RESULTS",
    show_default=True,
    help="Folder of the records and the database.",
)


def sandbox_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How code that a model wrote is kept apart: `--sandbox-command` and `--allow-unsandboxed-code`, for this process."""
    own = click.option(
        "--sandbox-command", metavar="WORDS", callback=_take_command, expose_value=False,
        help="Your own command that isolates the Python given after it, instead of minizoo's ways; it is tried out first.",
    )  # fmt: skip
    none = click.option(
        "--allow-unsandboxed-code", is_flag=True, callback=_take_permission, expose_value=False,
        help="Run generated code even where nothing can isolate it.",
    )  # fmt: skip
    return own(none(command))


def _take_command(_context: click.Context, _option: click.Parameter, words: str | None) -> None:
    from harness.sandbox.tiers import CHOICE

    try:
        command = tuple(shlex.split(words or ""))
    except ValueError as error:
        raise click.BadParameter(f"{words!r} is not a command line ({error}).") from None
    if words is not None and not command:
        raise click.BadParameter("the command is empty.")
    CHOICE.command = command


def _take_permission(_context: click.Context, _option: click.Parameter, allowed: bool) -> None:
    from harness.sandbox.tiers import CHOICE

    CHOICE.allow_none = allowed
