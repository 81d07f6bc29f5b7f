"""Reading docs/gate-certificate.md, which benchmarks/gate_calibration.py makes from its figures: its parts, as data.

The certificate has one author, the benchmark; a page that counted for itself could say something else. Of Markdown only what
that file has is read: headings, tables, lists, code, paragraphs, and in a line code, bold and links.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

SPAN = re.compile(r"`(?P<code>[^`]+)`|\*\*(?P<bold>[^*]+)\*\*|\[(?P<link>[^\]]+)\]\([^)]*\)")
NUMBER = re.compile(r"^[<>≤≥+–-]?\s?[\d–-]")
"""How a cell begins that stands in a column of numbers."""


@dataclass(frozen=True)
class Span:
    """A piece of a line: text, `code` or `bold`. A link is its words: it leads into the repository, which a page is not in."""

    text: str
    kind: str = ""


Words = tuple[Span, ...]


@dataclass(frozen=True)
class Block:
    """A paragraph, a list, code or a table: one of these is not empty. `numbers` are the table's columns of numbers."""

    words: Words = ()
    items: tuple[Words, ...] = ()
    code: str = ""
    head: tuple[Words, ...] = ()
    rows: tuple[tuple[Words, ...], ...] = ()
    numbers: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Section:
    """What stands under one heading; the title of what stands above the first is empty."""

    title: str
    blocks: tuple[Block, ...]


def sections(markdown: str) -> tuple[Section, ...]:
    """The certificate's parts in order. Its own heading and comments are left out."""
    found: list[tuple[str, list[Block]]] = [("", [])]
    for lines in _paragraphs(markdown):
        if lines[0].startswith("## "):
            found.append((lines[0][3:].strip(), []))
        elif not lines[0].startswith(("# ", "<!--")):
            found[-1][1].append(_block(lines))
    return tuple(Section(title, tuple(blocks)) for title, blocks in found if title or blocks)


def bars(found: Sequence[Section]) -> tuple[int, int]:
    """How many of what is promised is met, and how much is promised: the last column of the first table."""
    table = next((block for section in found for block in section.blocks if block.rows), None)
    met = [words[-1] for words in table.rows] if table else []
    return sum(_plain(words) == "yes" for words in met), len(met)


def spans(line: str) -> Words:
    """A line's pieces."""
    pieces: list[Span] = []
    at = 0
    for match in SPAN.finditer(line):
        pieces.append(Span(line[at : match.start()]))
        kind = match.lastgroup or ""
        pieces.append(Span(match[kind], "" if kind == "link" else kind))
        at = match.end()
    return tuple(piece for piece in (*pieces, Span(line[at:])) if piece.text)


def _paragraphs(markdown: str) -> Iterator[list[str]]:
    """Lines that stand together; code keeps its blank lines."""
    held: list[str] = []
    for line in markdown.splitlines():
        coding = bool(held) and held[0].startswith("```") and not (len(held) > 1 and held[-1].startswith("```"))
        if line.strip() or coding:
            held.append(line)
        elif held:
            yield held
            held = []
    if held:
        yield held


def _block(lines: Sequence[str]) -> Block:
    if lines[0].startswith("```"):
        return Block(code="\n".join(lines[1:-1]))
    if lines[0].startswith("|"):
        return _table(lines)
    if lines[0].startswith("- "):
        grouped = groupby(enumerate(lines), key=_starts(lines))
        return Block(
            items=tuple(spans(" ".join(line.strip().removeprefix("- ") for _, line in item)) for _, item in grouped)
        )
    return Block(words=spans(" ".join(line.strip() for line in lines)))


def _starts(lines: Sequence[str]) -> Callable[[tuple[int, str]], int]:
    """Of a numbered line, which item of the list it belongs to."""
    return lambda numbered: sum(line.startswith("- ") for line in lines[: numbered[0] + 1])


def _table(lines: Sequence[str]) -> Block:
    head, _, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    cells = tuple(tuple(spans(cell) for cell in row) for row in rows)
    numbers = tuple(
        index > 0 and all(NUMBER.match(_plain(row[index])) for row in cells if row[index]) for index in range(len(head))
    )
    return Block(head=tuple(map(spans, head)), rows=cells, numbers=numbers)


def _plain(words: Words) -> str:
    return "".join(span.text for span in words)
