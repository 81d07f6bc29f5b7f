"""A table as text: what a terminal, a page, Markdown and CSV all show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Key = float | str | None
"""The value behind a cell; None where it has none."""


@dataclass(frozen=True)
class Heading:
    """A column: its name, and whether it stands over numbers. What is less important gives way first where room is short."""

    name: str
    number: bool = False
    importance: int = 1


@dataclass(frozen=True)
class Table:
    """Rows of text under their headings. `keys` are the numbers behind the cells, for sorting and for CSV, or None."""

    title: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[str, ...], ...]
    keys: Sequence[Sequence[Key]] | None = None
    notes: tuple[str, ...] = ()
    """Sentences under the table."""
