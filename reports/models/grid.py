"""A table of a page as data: cells of text, each with what it leads to. Where that is, and how it looks, is not known here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reports.cells import ABSENT

MOST_SHOWN = 160
"""Characters of a name in a table or a heading; a longer one is cut there and stands whole on its model's page."""


@dataclass(frozen=True)
class Target:
    """What a cell leads to: a page of the site by what it is about, a source in the list below, or an address elsewhere."""

    kind: Literal["model", "run", "board", "speed", "comparison", "source", "page", "web"]
    name: str
    other: str = ""
    """The second model of a comparison."""


@dataclass(frozen=True)
class Cell:
    """The text of a cell, what stands small beside it, where it leads, and a word for how it is marked (`published`, `bad`)."""

    text: str
    detail: str = ""
    to: Target | None = None
    mark: str = ""


@dataclass(frozen=True)
class Column:
    """A column's heading; `number` aligns it right, `wide` lets its text break into lines."""

    name: str
    number: bool = False
    wide: bool = False
    to: Target | None = None


@dataclass(frozen=True)
class Line:
    """A row of cells, the first of which names it. `words` are what a search finds it by."""

    cells: tuple[Cell, ...]
    words: str = ""


@dataclass(frozen=True)
class Group:
    """Rows that belong together, under a line of their own where `name` is not empty."""

    name: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Grid:
    """A table: a sentence on what it shows, headings, groups of rows, and sentences below it."""

    caption: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        """All rows."""
        return tuple(line for group in self.groups for line in group.lines)


def grid(
    caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], notes: Sequence[str] = ()
) -> Grid | None:
    """A table without groups; None where it has no rows. Columns in which every cell is empty are left out."""
    lines = tuple(Line(tuple(row)) for row in rows)
    return grouped(caption, columns, (Group("", lines),), notes) if rows else None


def grouped(caption: str, columns: Sequence[Column], groups: Sequence[Group], notes: Sequence[str] = ()) -> Grid:
    """A table of groups, without the columns in which every cell is empty; the first, which names the rows, always stays."""
    lines = [line.cells for group in groups for line in group.lines]
    kept = [i for i in range(len(columns)) if i == 0 or any(cells[i].text or cells[i].detail for cells in lines)]
    return Grid(
        caption,
        tuple(columns[i] for i in kept),
        tuple(
            Group(g.name, tuple(Line(tuple(line.cells[i] for i in kept), line.words) for line in g.lines))
            for g in groups
        ),
        tuple(notes),
    )


def short(name: str, most: int = MOST_SHOWN) -> str:
    """The name, cut where it is longer than a table has room for."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def absent(cell: Cell) -> Cell:
    """The same cell with a dash where it has no text."""
    return cell if cell.text else replace(cell, text=ABSENT)


def counted(number: int, noun: str) -> str:
    """`1 model`, `3,000 models`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal; a dash for none."""
    return ABSENT if share is None or share != share else f"{100 * share:,.1f}\N{NO-BREAK SPACE}%".replace("-", "−")
