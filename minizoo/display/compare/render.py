"""Blocks on a terminal, and as GitHub's Markdown, where a name may hold anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from minizoo.table import Column, harmless
from reports.tables.markdown import backslashed

if TYPE_CHECKING:
    from minizoo.output import Output
    from reports.compare.blocks import Block


def show_blocks(output: Output, blocks: Iterable[Block]) -> None:
    """Each block as a table with its lines, an empty line between two."""
    for at, block in enumerate(blocks):
        if at:
            output.text()
        if block.columns:
            output.table([Column(*column) for column in block.columns], block.rows, block.title)
        for line in block.lines:
            output.text(line)


def markdown(blocks: Iterable[Block]) -> str:
    """The blocks as Markdown: a heading, a table, its lines as a list."""
    parts: list[str] = []
    for block in blocks:
        if block.title and block.columns:
            parts.append(f"### {escaped(block.title)}\n")
        if block.columns:
            parts.append(_table(block) + "\n")
        if block.lines:
            parts.append("\n".join(f"- {prose(line)}" for line in block.lines) + "\n")
    return "\n".join(parts)


def escaped(text: str) -> str:
    """The text as Markdown shows it letter by letter: special characters after a backslash, line breaks as `\\n`."""
    return backslashed(harmless(text))


def prose(line: str) -> str:
    """A line of text with its `code` left as such, where the backquotes come in pairs."""
    pieces = harmless(line).split("`")
    if len(pieces) % 2 == 0 or "``" in line:
        return escaped(line)
    return "".join(f"`{piece}`" if at % 2 else backslashed(piece) for at, piece in enumerate(pieces))


def _table(block: Block) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    rule = ["--:" if column.number else "---" for column in block.columns]
    return "\n".join(
        [
            line([escaped(column.heading) for column in block.columns]),
            f"|{'|'.join(rule)}|",
            *(line([escaped(cell) for cell in row]) for row in block.rows),
        ]
    )
