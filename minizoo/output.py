"""The one place that writes to stdout: tables for people, JSON for programs. Commands hand it data and never print."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from minizoo.run_log import TERMINAL
from zoo.errors import MinizooError

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")


@dataclass(frozen=True)
class Column:
    """A table column: its heading, and whether its cells are numbers (set to the right)."""

    heading: str
    number: bool = False


class Output:
    """Shows a command's result: rich tables and text, or with `as_json` one JSON document."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    def document(self, kind: str, value: Any) -> None:
        """Print `value` as the one JSON document of this command, tagged with its kind and version."""
        click.echo(json.dumps({"schema": f"minizoo.{kind}/1", **value}, indent=2, ensure_ascii=False, default=str))

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]], title: str = "") -> None:
        """Print a table; cells are text and are never read as markup. Off a terminal nothing is cut short."""
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column.heading, justify="right" if column.number else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._console().print(table)

    def text(self, line: str = "") -> None:
        """Print a line of plain text."""
        click.echo(line)

    def _console(self) -> Any:
        from rich.console import Console

        return Console(soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 200)


def note(line: str) -> None:
    """Tell the user something that is not the result: goes to stderr, never into a pipe, and into the log of the run."""
    import logging

    click.echo(line, err=True)
    logging.getLogger(TERMINAL).info("%s", line)


def show_error(error: MinizooError, as_json: bool = False) -> int:
    """Show an error as one paragraph on stderr, with `as_json` also as the command's document; return its exit code."""
    note(f"minizoo: {error}")
    if as_json:
        told = {"code": error.code, "what": error.what, "hint": error.hint, "exit_code": error.exit_code}
        with contextlib.suppress(OSError):  # a full disk behind stdout may be the very error
            Output(as_json).document("error", told)
    return error.exit_code
