"""Files of calibration data: one text, a text a line of JSON, or token ids. What is none of these is refused in words."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InvalidCalibration

COLUMN = "text"
"""The column of a JSONL where nothing else is said."""
LINES = (".jsonl", ".ndjson")
KINDS = "Give one text (.txt), a JSON object a line (.jsonl), or token ids (.npy)."
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".7z")
REFUSED = {
    **dict.fromkeys(COMPRESSED, ("is compressed", "Unpack it first.")),
    ".json": ("is one JSON document, no text", "Write an object a line: `jq -c '.[]' FILE.json > FILE.jsonl`."),
    ".parquet": ("is Parquet", "Write its column of text as a .jsonl."),
    ".arrow": ("is an Arrow file", "Write its column of text as a .jsonl."),
    ".csv": ("is a table, no text", "Write its column of text as a .jsonl."),
    ".tsv": ("is a table, no text", "Write its column of text as a .jsonl."),
    ".npz": ("holds several arrays", "Write one array of token ids with numpy.save, as .npy."),
}
"""Kinds of files that would be read as text although they are none → what they are, and what to do."""


def read_texts(path: Path, column: str = COLUMN) -> tuple[list[str], bool]:
    """The texts of a file, and whether they are lines of JSON; any other file is one text.

    Raises InvalidCalibration for a file that is missing, of a kind of its own or not UTF-8, and for a line without a text.
    """
    kind = path.suffix.lower()
    if kind in REFUSED:
        what, hint = REFUSED[kind]
        raise InvalidCalibration(f"{path} {what}.", f"{hint} {KINDS}")
    try:
        content = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise InvalidCalibration(f"There is no {path}.", KINDS) from None
    except IsADirectoryError:
        raise InvalidCalibration(f"{path} is a folder.", KINDS) from None
    except UnicodeDecodeError:
        raise InvalidCalibration(f"{path} is not UTF-8 text.", KINDS) from None
    if kind not in LINES:
        return [content], False
    # a text may hold what `splitlines` takes for the end of a line
    numbered = [(at, line) for at, line in enumerate(content.split("\n"), 1) if line.strip()]
    return [_text_of(line, f"{path}:{at}", column, at == numbered[0][0]) for at, line in numbered], True


def check_column(path: Path, column: str | None) -> None:
    """Raise InvalidCalibration where a column is named for a file that has none."""
    if column is not None and path.suffix.lower() not in LINES:
        raise InvalidCalibration(
            f"--text-column {column} names a column of lines of JSON, and {path} has no columns.",
            "Leave it out, or give a .jsonl.",
        )


def token_file(path: Path) -> NDArray[np.int64]:
    """The token ids of a .npy, in one row. Raises InvalidCalibration for one that is broken or holds other numbers."""
    try:
        ids: NDArray[Any] = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InvalidCalibration(f"There is no {path}.", KINDS) from None
    except (OSError, ValueError, EOFError) as error:
        raise InvalidCalibration(
            f"{path} is no .npy file of token ids ({error}).", "Write it with numpy.save."
        ) from None
    if ids.dtype.kind not in "iu":
        raise InvalidCalibration(f"{path} holds {ids.dtype}, no token ids.", "Write the ids as int32 or int64.")
    if ids.dtype.itemsize < 4:
        raise InvalidCalibration(
            f"{path} holds {ids.dtype} token ids; 16 bits overflow silently from token 65,536 on.",
            "Write the ids as int32 or int64.",
        )
    return ids.reshape(-1).astype(np.int64)


def _text_of(line: str, where: str, column: str, first: bool) -> str:
    try:
        row: Any = json.loads(line)
    except ValueError as error:
        raise InvalidCalibration(f"{where} is no JSON ({error}).", 'Write {"text": "…"} a line.') from None
    if not isinstance(row, dict):
        raise InvalidCalibration(
            f"{where} holds {kind_of(row)}, no object with columns.", 'Write {"text": "…"} a line.'
        )
    found = _value(row, column)
    if isinstance(found, str):
        return found
    texts = [shlex.quote(name) for name in _columns_of_text(row) if name.isprintable()]
    hint = f"Name one that holds a text: --text-column {' or '.join(texts[:5])}." if texts else "None holds a text."
    if found is None and column not in row:
        known = ", ".join(map(repr, list(row)[:20])) or "none"
        also = "" if first else ", though lines before it have"
        raise InvalidCalibration(f"{where} has no column {column!r}{also}; its columns are {known}.", hint)
    raise InvalidCalibration(f"{where} holds {kind_of(found)} in column {column!r}, no text.", hint)


def _value(row: dict[str, Any], column: str) -> Any:
    """The column of that very name, else what the names between its dots lead to."""
    if column in row:
        return row[column]
    found: Any = row
    for name in column.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _columns_of_text(row: dict[str, Any], before: str = "") -> list[str]:
    """Columns whose value is a text, those inside an object as `outer.inner`."""
    found: list[str] = []
    for name, value in list(row.items())[:20]:
        if isinstance(value, str):
            found.append(before + name)
        elif isinstance(value, dict) and not before:
            found += _columns_of_text(value, f"{name}.")
    return found


def kind_of(value: Any) -> str:
    """A value of JSON in words."""
    words = {
        bool: "a truth value",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
        str: "a text",
    }
    return words.get(type(value), "null")
