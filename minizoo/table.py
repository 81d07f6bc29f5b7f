"""Tables of text that stay readable on a narrow terminal: columns are left out whole, words wrap, numbers never break."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

GAP = 2
"""Spaces between two columns."""
NARROW = 14
"""A column of words is not squeezed below this, unless all it says is shorter."""
LONGEST_WORD = 40
"""A longer word (a path, a digest) may be broken rather than drive other columns out."""
BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
UNSAFE = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{BIDI}]")
"""What moves the cursor, turns the direction of a line or cannot be written: a terminal gets its escape instead."""


@dataclass(frozen=True)
class Column:
    """A table column: its heading, and whether its cells are numbers (set to the right, never broken).

    Where a terminal is too narrow for all columns, those of less importance are left out first, of equal ones the last. The
    first column stays.
    """

    heading: str
    number: bool = False
    importance: int = 1


@dataclass(frozen=True)
class Layout:
    """Which columns are shown, by their number, how wide each is, and the headings of those left out."""

    shown: tuple[int, ...]
    widths: tuple[int, ...]
    left_out: tuple[str, ...] = ()


def harmless(text: str, keep: str = "") -> str:
    """The text with control characters, marks of direction and lone surrogates as escapes (`\\x1b`), but for those to keep."""
    return UNSAFE.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], text)


def columns_wide(text: str) -> int:
    """Columns of a terminal that the text takes: 2 for a wide character, 0 for a combining one."""
    return sum(map(_wide, text))


def lay_out(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> Layout:
    """The columns that have room in `width` (None: no end), the more important ones first, each as wide as it can be.

    Two columns are shown at least: a name alone says nothing. One without a word in it has no room where there is little.
    """
    natural = [max([columns_wide(cell) for cell in cells], default=0) for cells in _by_column(columns, rows)]
    if width is None or sum(natural) + GAP * (len(columns) - 1) <= width:
        return Layout(tuple(range(len(columns))), tuple(natural))
    least = [_least(column, cells) for column, cells in zip(columns, _by_column(columns, rows), strict=True)]
    chosen: list[int] = []
    told = [at for at in range(len(columns)) if at == 0 or not rows or any(row[at] for row in rows)]
    for at in sorted(told, key=lambda at: (at > 0, -columns[at].importance, at)):
        room = width - sum(least[i] for i in chosen) - GAP * len(chosen)
        if len(chosen) == 1 and not columns[at].number:
            least[at] = min(least[at], max(NARROW, room))
            least[chosen[0]] = min(least[chosen[0]], max(1, width - GAP - least[at]))
            room = least[at]
        if not chosen or least[at] <= room:
            chosen.append(at)
    chosen.sort()
    widths = {at: min(least[at], width) for at in chosen}
    spare = width - sum(widths.values()) - GAP * (len(chosen) - 1)
    while spare > 0 and (tight := [at for at in chosen if widths[at] < natural[at]]):
        narrowest = min(tight, key=lambda at: widths[at])  # a column at a time: the widths of words come out even
        widths[narrowest] += 1
        spare -= 1
    left_out = tuple(columns[at].heading for at in told if at not in chosen)
    return Layout(tuple(chosen), tuple(widths[at] for at in chosen), left_out)


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], layout: Layout) -> Iterator[list[str]]:
    """The lines of the heading, then of each row; no cell is shortened."""
    for row in [[column.heading for column in columns], *rows]:
        cells = [wrapped(row[at], width) for at, width in zip(layout.shown, layout.widths, strict=True)]
        height = max(map(len, cells), default=1)
        lines: list[str] = []
        for line in range(height):
            parts = [
                _set(cell[line] if line < len(cell) else "", width, columns[at].number)
                for cell, at, width in zip(cells, layout.shown, layout.widths, strict=True)
            ]
            lines.append((" " * GAP).join(parts).rstrip())
        yield lines


def wrapped(text: str, width: int | None) -> list[str]:
    """The text in lines of that width (None: no end), broken at spaces; a word that is longer is broken anywhere."""
    if width is None or columns_wide(text) <= width:
        return [text]
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if columns_wide(joined) <= width:
            lines[-1] = joined
            continue
        pieces = list(_pieces(word, width))
        lines[-1:] = [lines[-1], *pieces] if lines[-1] else pieces
    return lines


def _pieces(word: str, width: int) -> Iterator[str]:
    piece, taken = "", 0
    for character in word:
        wide = _wide(character)
        if piece and taken + wide > width:
            yield piece
            piece, taken = "", 0
        piece, taken = piece + character, taken + wide
    yield piece


def _by_column(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    for at, column in enumerate(columns):
        yield [column.heading, *(row[at] for row in rows)]


def _least(column: Column, cells: Sequence[str]) -> int:
    """The narrowest that the column may be: of numbers the widest number, of words the longest word."""
    if column.number:
        return max(_longest_word(cells[0]), *map(columns_wide, cells[1:]), 0)
    natural = max(map(columns_wide, cells))
    return max(min(max(map(_longest_word, cells)), LONGEST_WORD), min(natural, NARROW))


def _longest_word(text: str) -> int:
    return max(map(columns_wide, text.split()), default=0)


def _set(text: str, width: int, right: bool) -> str:
    fill = " " * (width - columns_wide(text))
    return fill + text if right else text + fill


def _wide(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
