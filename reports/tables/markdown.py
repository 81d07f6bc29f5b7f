"""A table as GitHub's Markdown, whatever text is in it."""

from __future__ import annotations

import re

from reports.cells import writable
from reports.tables.table import Table

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$^]|(?<![a-zA-Z0-9])@|:(?=//)|(?<=www)\.)")
"""What Markdown, HTML or GitHub (references, maths, links) would read as more than text."""
MENTION = "\\@\u200b"
"""GitHub looks for mentions in what is shown: a space of no width keeps a name from being one."""
UNSEEN = re.compile("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Marks that turn the direction of a line or end it."""


def markdown_of(table: Table, level: int = 3) -> str:
    """A heading of that level, the table, its notes as a list."""
    parts = [f"{'#' * level} {escaped(table.title)}", ""] if table.title else []
    parts += [_line([escaped(heading.name) for heading in table.headings])]
    parts += [_line(["--:" if heading.number else "---" for heading in table.headings])]
    parts += [_line([escaped(cell) for cell in row]) for row in table.rows]
    if table.notes:
        parts += ["", *(f"- {escaped(note)}" for note in table.notes)]
    return "\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """The text as Markdown shows it letter by letter, on one line."""
    return backslashed(" ".join(UNSEEN.sub("\ufffd", writable(text)).split()))


def backslashed(line: str) -> str:
    """The line with a backslash before whatever would be read as more than text."""
    return SPECIAL.sub(lambda found: MENTION if found[0] == "@" else f"\\{found[0]}", line)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
