"""The documents that changed, with both answers. Texts are a model's: cut to a length here, made harmless on the way out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reports.compare.blocks import Block, Column, with_option
from reports.compare.cells import ABSENT, number

if TYPE_CHECKING:
    from harness.compare.comparison import Comparison
    from harness.compare.flips import Answer, Flip
    from harness.compare.task import TaskComparison

LONGEST_ANSWER = 160
"""Characters of a text in a table; --json has all of it."""
LONGEST_ENDING = 60


def flips_blocks(comparison: Comparison, most: int) -> Iterator[Block]:
    """A table a task: up to `most` documents that changed, lost ones first."""
    from harness.compare.flips import flips_of

    for row in comparison.compared:
        if changed(row):
            yield flips_block(row, flips_of(row, most))


def changed(row: TaskComparison) -> int:
    """How many documents of a row B answered worse or better."""
    return row.tested.lost + row.tested.gained if row.tested else 0


def flips_block(
    row: TaskComparison, flips: Sequence[Flip], command: str = "", choices: Sequence[Sequence[str]] = ()
) -> Block:
    """The table of one task's changed documents. `command` shows more, on a page, with an option; `choices` are the texts of
    each document's endings, where they are known."""
    found = row.tested
    lost, gained = (found.lost, found.gained) if found else (0, 0)
    title = f"{row.key.task}, {row.key.metric}: {lost:,} lost, {gained:,} gained"
    left = lost + gained - len(flips)
    shows = with_option(command, f"--show-flips {lost + gained}")
    lines = [f"{left:,} more: {shows} shows all."] * (left > 0)
    texts = choices or [()] * len(flips)
    rows = [_row(flip, row.key.task, endings) for flip, endings in zip(flips, texts, strict=True)]
    return Block(title, COLUMNS, rows, [*lines, *_lines(flips)])


COLUMNS = (
    Column("document", importance=9), Column("so", importance=8), Column("right answer", importance=6),
    Column("A answered", importance=7), Column("B answered", importance=7),
    Column("log p right, A", True, 5), Column("B", True, 5),
)  # fmt: skip


def _row(flip: Flip, task: str, endings: Sequence[str]) -> list[str]:
    inside = "" if flip.task == task else f"{flip.task} "
    again = f" (no. {flip.occurrence + 1})" if flip.occurrence else ""
    word = "lost" if flip.lost else "gained"
    if not {flip.a_value, flip.b_value} <= {0.0, 1.0}:
        word += f": {number(flip.a_value, 3)} → {number(flip.b_value, 3)}"
    return [
        f"{inside}{flip.doc_id} {flip.doc_hash[:8]}{again}", word, _right(flip, endings),
        answer_words(flip.a_answer, endings), answer_words(flip.b_answer, endings),
        number(flip.a_gold, 2), number(flip.b_gold, 2),
    ]  # fmt: skip


def answer_words(answer: Answer, endings: Sequence[str] = ()) -> str:
    """An ending by its place (and text, where that is known) and log-probability, a text as it is; that none was kept, where
    it was not."""
    if not answer.kept:
        return "not kept"
    if answer.text is not None:
        return cut(answer.text)
    place = "" if answer.ending is None else f"{_ending(answer.ending, endings)}, "
    return f"{place}log p {number(answer.logprob, 2)}"


def cut(text: str) -> str:
    """The text, or its beginning and that it goes on."""
    return text if len(text) <= LONGEST_ANSWER else f"{text[:LONGEST_ANSWER]}… ({len(text):,} characters)"


def _ending(place: int, endings: Sequence[str]) -> str:
    text = " ".join(endings[place].split()) if place < len(endings) else ""
    told = text if len(text) <= LONGEST_ENDING else f"{text[:LONGEST_ENDING]}…"
    return f"ending {place}: {told}" if told else f"ending {place}"


def _right(flip: Flip, endings: Sequence[str]) -> str:
    if flip.position is not None:
        return _ending(flip.position, endings)
    return ABSENT if flip.target is None else cut(flip.target)


def _lines(flips: Sequence[Flip]) -> Iterator[str]:
    for name, kept in (("A", [f.a_answer.kept for f in flips]), ("B", [f.b_answer.kept for f in flips])):
        if kept and not any(kept):
            yield f"{name}'s answers were not kept (a baseline keeps outcomes alone)."
