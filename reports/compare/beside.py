"""Two models side by side, as a page shows them: the tables of `minizoo compare`, and the documents that changed."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.compare.comparison import Comparison, compare_sides
from harness.compare.flips import Answer, Flip, flips_of
from harness.compare.items import ScoreKey, Side
from harness.compare.sides.speed_ratios import SpeedRatio, speed_ratios
from harness.compare.task import TaskComparison
from harness.store.query import Reader
from reports.compare.blocks import Block
from reports.compare.documents import Question, questions
from reports.compare.flips import LONGEST_ANSWER, changed, flips_block

MOST_FLIPS = 50
"""Documents of a task that a page lists,"""
MOST_LINES, FEWEST_FLIPS = 1_200, 5
"""and of all its tasks together; but so many of each, however many tasks there are."""
PROMPT, CHOICE, ANSWER = 900, 400, 1500
"""Characters of a prompt (its end, where the document's own question is), of a choice and of an answer."""
PAGE = 900_000
"""Characters of all questions and answers of a page together; what is beyond is on the runs' pages."""
VERDICTS = ("worse", "better", "lower", "higher", "no difference shown")


@dataclass(frozen=True)
class Choice:
    """A text to choose from, and whose choice it was: `right`, `A`, `B`."""

    text: str
    marks: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """A document that changed, beyond its line in the table."""

    question: str
    """The end of its prompt; empty where nobody kept it."""
    before: int
    """Characters of the prompt that stand before that end."""
    choices: tuple[Choice, ...]
    answers: tuple[tuple[str, str], ...]
    """(`A` or `B`, the whole text), of answers that the table cuts short."""

    @property
    def excerpt(self) -> str:
        """The last line that says anything."""
        lines = [line.strip() for line in self.question.splitlines() if line.strip()]
        own = lines[-1] if lines else ""
        return own if len(own) > 20 or len(lines) < 2 else f"{lines[-2]} {own}"


@dataclass(frozen=True)
class FlippedTask:
    """The documents of a task that changed: a table, and beside each line what more is known of the document."""

    key: ScoreKey
    block: Block
    documents: tuple[Document | None, ...]
    untold: int
    """Documents of the table whose question is left out, as the page would be too long."""


@dataclass(frozen=True)
class Beside:
    """Everything that a comparison page shows."""

    comparison: Comparison
    speed: tuple[SpeedRatio, ...]
    flipped: tuple[FlippedTask, ...]

    @property
    def a(self) -> Side:
        """The reference."""
        return self.comparison.a

    @property
    def b(self) -> Side:
        """What is compared with it."""
        return self.comparison.b


def beside(a: Side, b: Side, results: Path, reader: Reader, command: str) -> Beside:
    """Compare the two. `command` is what shows more than the page has."""
    comparison = compare_sides(a, b)
    speed = tuple(speed_ratios(a, b, results, reader))
    return Beside(comparison, speed, tuple(_flipped(comparison, results, command)))


def counted(comparison: Comparison) -> Mapping[str, int]:
    """How many tasks have each verdict, the refused ones too."""
    return Counter(row.verdict for row in comparison.rows)


def outcome(comparison: Comparison) -> str:
    """In words: `worse on 3 of 5 tasks, better on 1; no difference shown on 1`."""
    found = counted(comparison)
    compared = len(comparison.compared)
    if not compared:
        return f"{_tasks(found['refused'])} refused" if found["refused"] else "no task in common"
    told = [f"{verdict} on {found[verdict]:,}" for verdict in VERDICTS[:4] if found[verdict]]
    if not told:
        words = f"no difference shown on {'the task' if compared == 1 else f'any of {_tasks(compared)}'} compared"
    else:
        words = f"{told[0]} of {_tasks(compared)}" + "".join(f", {each}" for each in told[1:])
        words += f"; no difference shown on {found[VERDICTS[4]]:,}" if found[VERDICTS[4]] else ""
    return words + (f"; {found['refused']:,} refused" if found["refused"] else "")


def _tasks(number: int) -> str:
    return f"{number:,} task{'' if number == 1 else 's'}"


def _flipped(comparison: Comparison, results: Path, command: str) -> Iterator[FlippedTask]:
    room = PAGE
    rows = [row for row in comparison.compared if changed(row)]
    most = max(FEWEST_FLIPS, min(MOST_FLIPS, MOST_LINES // max(1, len(rows))))
    for row in rows:
        flips = flips_of(row, most)
        known = questions(results, (comparison.a, comparison.b), row.key, flips)
        documents: list[Document | None] = []
        untold = 0
        for flip in flips:
            document = _document(flip, known.get((flip.task, flip.doc_id)))
            room -= _length(document)
            untold += room < 0
            documents.append(document if room >= 0 else None)
        yield FlippedTask(row.key, _shown(row, flips, command, known), tuple(documents), untold)


def _shown(row: TaskComparison, flips: list[Flip], command: str, known: Mapping[tuple[str, int], Question]) -> Block:
    asked = [known.get((flip.task, flip.doc_id)) for flip in flips]
    choices = [question.choices if question else () for question in asked]
    return flips_block(row, flips, f"{command} --tasks {shlex.quote(row.key.task)}", choices)


def _document(flip: Flip, question: Question | None) -> Document | None:
    """What more there is to say of a document; None where that is nothing."""
    prompt = question.prompt if question else ""
    choices = tuple(
        Choice(_begin(text, CHOICE), _marks(flip, place))
        for place, text in enumerate(question.choices if question else ())
    )
    both = (("A", flip.a_answer), ("B", flip.b_answer))
    answers = tuple((name, _begin(answer.text or "", ANSWER)) for name, answer in both if _is_cut(answer))
    if not (prompt or choices or answers):
        return None
    return Document(prompt[-PROMPT:], max(0, len(prompt) - PROMPT), choices, answers)


def _marks(flip: Flip, place: int) -> tuple[str, ...]:
    told = (("right", flip.position), ("A", flip.a_answer.ending), ("B", flip.b_answer.ending))
    return tuple(name for name, at in told if at == place)


def _is_cut(answer: Answer) -> bool:
    return answer.text is not None and len(answer.text) > LONGEST_ANSWER


def _begin(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def _length(document: Document | None) -> int:
    if document is None:
        return 0
    texts = [document.question, *(choice.text for choice in document.choices), *(text for _, text in document.answers)]
    return sum(map(len, texts))
