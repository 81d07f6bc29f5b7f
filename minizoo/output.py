"""The one place that writes to stdout: tables for people, JSON for programs. Commands hand it data and never print."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import click

from minizoo.run_log import TERMINAL
from minizoo.table import Column, harmless, lay_out, table_lines, wrapped
from zoo.errors import MinizooError

__all__ = ["Column", "Output", "json_option", "note", "show_error"]
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")


class Output:
    """Shows a command's result: tables and text, or with `as_json` one JSON document."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    def document(self, kind: str, value: Any) -> None:
        """Print `value` as the one JSON document of this command, tagged with its kind and version."""
        click.echo(json.dumps({"schema": f"minizoo.{kind}/1", **value}, indent=2, ensure_ascii=False, default=str))

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]], title: str = "") -> None:
        """Print a table; cells are text, whatever they hold. Off a terminal nothing is left out, cut short or wrapped.

        On a terminal that is too narrow the least important columns are left out, and a line says which.
        """
        columns = [replace(column, heading=harmless(column.heading)) for column in columns]
        cells = [[harmless(cell) for cell in row] for row in rows]
        width = _terminal_width()
        layout = lay_out(columns, cells, width)
        heading, *body = table_lines(columns, cells, layout)
        told = f"No room for: {', '.join(layout.left_out)}. A wider terminal, `| cat` or --json shows them."
        styled = width is not None and os.environ.get("TERM") != "dumb"
        for lines, style in (
            (wrapped(harmless(title), width) if title else [], {"italic": styled}),
            (heading, {"bold": styled}),
            *((lines, {}) for lines in body),
            (wrapped(told, width) if layout.left_out else [], {}),
        ):
            for line in lines:
                click.echo(click.style(line, **style) if styled else line)

    def text(self, line: str = "") -> None:
        """Print a line of plain text."""
        click.echo(harmless(line, keep="\n\t"))


def _terminal_width() -> int | None:
    """Columns of the terminal behind stdout; None where there is no terminal."""
    if not sys.stdout.isatty():
        return None
    return max(20, shutil.get_terminal_size().columns)


def note(line: str) -> None:
    """Tell the user something that is not the result: goes to stderr, never into a pipe, and into the log of the run."""
    import logging

    told = harmless(line, keep="\n\t")
    click.echo(told, err=True)
    logging.getLogger(TERMINAL).info("%s", told)


def show_error(error: MinizooError, as_json: bool = False) -> int:
    """Show an error as one paragraph on stderr, with `as_json` also as the command's document; return its exit code."""
    note(f"minizoo: {error}")
    if as_json:
        with contextlib.suppress(OSError):  # a full disk behind stdout may be the very error
            Output(as_json).document("error", told_error(error))
    return error.exit_code


def told_error(error: MinizooError) -> dict[str, Any]:
    """An error as a document has it."""
    return {"code": error.code, "what": error.what, "hint": error.hint, "exit_code": error.exit_code}
