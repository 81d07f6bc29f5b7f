"""What a row of a file is as text: its column of text, or its conversation through the chat template."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from zoo.errors import ChatTemplateMissing, InvalidTrainingData, one_line
from zoo.prune.calibration_file import kind_of

Turns = Sequence[Mapping[str, str]]
Chat = Callable[[Turns], str]
"""Turns → the text of the whole conversation, closed as the template closes it, without a prompt for another answer."""
COLUMNS = ("text", "messages", "conversations")
"""Columns that are looked for where none is named: a text, or a conversation in either of its two common forms."""
ROLES = {"human": "user", "gpt": "assistant", "bing": "assistant", "chatgpt": "assistant"}
"""Names of roles in the `from`/`value` form → those of chat templates; others stay as they are."""


class Document(NamedTuple):
    """A text, where it stands (`file:line`), and how many bytes of the source it took, 0 where that is unknown.

    A row that is broken has no text and says in `fault` what is wrong.
    """

    text: str
    where: str
    size: int
    fault: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it but white space."""
        return not self.text.strip()


def text_of(row: Any, where: str, column: str | None = None, chat: Chat | None = None) -> str:
    """The text of a row. Raises InvalidTrainingData, with `where`, for a row without one, and ChatTemplateMissing where it is
    a conversation and there is no template.

    >>> text_of({"text": "Once upon a time"}, "tales.jsonl:1")
    'Once upon a time'
    """
    if not isinstance(row, dict):
        raise InvalidTrainingData(
            f"{where} holds {kind_of(row)}, no object with columns.", 'Write {"text": "…"} a line.'
        )
    name = column or next((each for each in COLUMNS if row.get(each) is not None), "")
    found = _value(row, name) if name else None
    if isinstance(found, str):
        return _whole(found, where)
    if isinstance(found, list):
        return _whole(_through_template(_turns(found, where), where, chat), where)
    raise _without_text(row, where, column, found)


def _whole(text: str, where: str) -> str:
    """The text; JSON can hold halves of characters, which no tokenizer takes."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidTrainingData(
            f"{where} holds half a character ({text[error.start]!a}, a lone surrogate).", "Write it as UTF-8."
        ) from None
    return text


def _turns(found: list[Any], where: str) -> list[dict[str, str]]:
    """The turns as chat templates take them, from `role` and `content` or `from` and `value`."""
    turns: list[dict[str, str]] = []
    for number, turn in enumerate(found, 1):
        said = turn if isinstance(turn, dict) else {}
        role = said.get("role", said.get("from"))
        content = said.get("content", said.get("value"))
        if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
            content = "".join(str(part.get("text", "")) for part in content)
        if not isinstance(role, str) or not isinstance(content, str):
            raise InvalidTrainingData(
                f"{where} has no role and text in turn {number}.", 'Write {"role": "user", "content": "…"} a turn.'
            )
        turns.append({"role": ROLES.get(role, role), "content": content})
    if not turns:
        raise InvalidTrainingData(f"{where} is a conversation without a turn.", "Leave it out.")
    return turns


def _through_template(turns: Turns, where: str, chat: Chat | None) -> str:
    if chat is None:
        raise ChatTemplateMissing(
            f"{where} is a conversation, and the tokenizer has no chat template.", "Take an instruct model, or text."
        )
    try:
        return chat(turns)
    except ChatTemplateMissing as error:
        raise InvalidTrainingData(f"{where}: {error.what}", error.hint) from None
    except Exception as error:  # a template is a program of others and raises what it likes
        raise InvalidTrainingData(
            f"The chat template does not take the turns of {where} ({one_line(error)}).", "Mend or leave out that line."
        ) from None


def _value(row: dict[str, Any], column: str) -> Any:
    """The column of that very name, else what the names between its dots lead to."""
    if column in row:
        return row[column]
    found: Any = row
    for name in column.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _without_text(row: dict[str, Any], where: str, column: str | None, found: Any) -> InvalidTrainingData:
    texts = [
        shlex.quote(name) for name, value in list(row.items())[:20] if isinstance(value, str) and name.isprintable()
    ]
    hint = f"Name one that holds a text: --text-column {' or '.join(texts[:5])}." if texts else "None holds a text."
    if column and found is not None:
        return InvalidTrainingData(f"{where} holds {kind_of(found)} in column {column!r}, no text.", hint)
    wanted = repr(column) if column else " or ".join(map(repr, COLUMNS))
    known = ", ".join(map(repr, list(row)[:20])) or "none"
    return InvalidTrainingData(f"{where} has no text in {wanted}; its columns are {known}.", hint)
