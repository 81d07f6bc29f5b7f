"""Long texts in little room: what of a prompt, an answer or a target is shown, and how many bytes it takes on a page."""

from __future__ import annotations

from typing import NamedTuple

from reports.cells import writable

ESCAPED = "&<>\"'"
"""Each becomes up to five characters in HTML."""


class Excerpt(NamedTuple):
    """A text with its middle left out."""

    before: str
    after: str = ""
    left_out: int = 0
    """Characters between the two; all of the file's text is in its Parquet file."""

    @property
    def cost(self) -> int:
        """Bytes on a page at most."""
        return sum(len(part.encode()) + 4 * sum(map(part.count, ESCAPED)) for part in (self.before, self.after))


def excerpt(text: str, first: int, last: int) -> Excerpt:
    """At most so many characters of a text's beginning and end; a question stands at the end of its prompt."""
    text = writable(text)
    left_out = len(text) - first - last
    if left_out <= 0:
        return Excerpt(text)
    return Excerpt(text[:first], text[len(text) - last :] if last else "", left_out)


def last_words(text: str, most: int) -> str:
    """The end of a text in one line, without a label that only asks for the answer (`Answer:`)."""
    lines = [line.strip() for line in writable(text[-4 * most :]).split("\n") if line.strip()]
    while len(lines) > 1 and lines[-1].endswith(":") and len(lines[-1]) < 20:
        lines.pop()
    return _cut_left(lines[-1] if lines else "", most)


def first_words(text: str, most: int) -> str:
    """The beginning of a text in one line."""
    line = " ".join(writable(text[: 2 * most]).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _cut_left(line: str, most: int) -> str:
    return line if len(line) <= most else f"…{line[1 - most :].lstrip()}"
