"""YAML files whose errors name file, line and column."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from zoo.errors import FileMissing, InvalidFile
from zoo.files import cache_folder, write_cache
from zoo.names import closest
from zoo.strict import Strict
from zoo.yaml_nodes import Positions, YamlPath, read_nodes

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True)
class Located:
    """A YAML file as plain data (mappings with text keys, tuples, scalars) that can tell the position of each item.

    Reading YAML with positions takes ten times as long as the rest of a command, so the data of a file seen before
    comes from a cache and the positions are only read when something is wrong. Errors call the file `name` and are of
    the class `cause`.
    """

    name: str
    text: str
    data: Any
    cause: type[InvalidFile] = InvalidFile

    def error(self, path: YamlPath, what: str, hint: str = "", *, at_key: bool = False) -> InvalidFile:
        """The error for the item at `path`: its position, its path in words, what is wrong, what to do next."""
        words = " → ".join(str(part) for part in path)
        return self.cause(f"{self.where(path, at_key=at_key)}: {words + ': ' if words else ''}{what}", hint)

    def where(self, path: YamlPath, *, at_key: bool = False) -> str:
        """`file:line:column` of the item at `path`."""
        line, column = self.position(path, at_key=at_key)
        return f"{self.name}:{line}:{column}"

    def position(self, path: YamlPath, *, at_key: bool = False) -> tuple[int, int]:
        """Line and column of the item at `path`, or of the nearest item around it that the file has."""
        positions = self._positions
        first, second = (positions.keys, positions.values) if at_key else (positions.values, positions.keys)
        for end in range(len(path), -1, -1):
            for marks in (first, second):
                if path[:end] in marks:
                    return marks[path[:end]]
        return (1, 1)

    @functools.cached_property
    def _positions(self) -> Positions:
        return read_nodes(self.text, self.name, self.cause)[1]


def read_located(file: Path, cause: type[InvalidFile] = InvalidFile, name: str | None = None) -> Located:
    """Read a YAML 1.2 file; errors call it `name` (by default its file name).

    Raises FileMissing where it cannot be read, `cause` with line and column for what is not YAML or names a key twice.
    """
    name = name or file.name
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise cause(f"{name} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8.") from None
    except OSError as error:
        raise FileMissing(f"{file} cannot be read: {error.strerror}.", "Check the path.") from None
    digest = hashlib.sha256(text.encode()).hexdigest()
    cache = cache_folder() / f"yaml-{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:16]}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        cached = json.loads(cache.read_text("utf-8"), object_hook=_as_tuples)
        if cached["sha256"] == digest:
            return Located(name, text, cached["data"], cause)
    data, _ = read_nodes(text, name, cause)
    with contextlib.suppress(TypeError):  # a date or another scalar that JSON has not: then there is no cache
        write_cache(cache, json.dumps({"sha256": digest, "data": data}))
    return Located(name, text, data, cause)


def validated(shape: type[Shape], located: Located) -> Shape:
    """The file's data as `shape`. Raises the file's `cause` at the first thing that does not fit, counting the rest."""
    try:
        return shape.model_validate(located.data)
    except ValidationError as error:
        raise _first_error(error, located) from None


def _as_tuples(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: _tupled(value) for key, value in mapping.items()}


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value


def _first_error(error: ValidationError, located: Located) -> InvalidFile:
    # a mistyped key is missing under its right name too: the unknown key is the one to tell of
    details = sorted(error.errors(include_url=False), key=lambda detail: detail["type"] != "extra_forbidden")
    first = details[0]
    path = _located_path(first["loc"], located.data)
    more = f" ({len(details) - 1} more after it)" if len(details) > 1 else ""
    if first["type"] == "extra_forbidden":
        near = closest(str(path[-1]), _field_names())
        hint = f"Did you mean '{near}'?" if near else "Remove it."
        return located.error(path, f"unknown key{more}.", hint, at_key=True)
    if first["type"] == "missing":
        return located.error(path[:-1], f"'{path[-1]}' is missing{more}.", "Add it.", at_key=True)
    what = first["msg"].removeprefix("Value error, ").replace("Input", "the value", 1)
    given = "" if isinstance(first["input"], dict | tuple) else f", not {first['input']!r:.60}"
    return located.error(path, f"{what}{given}{more}.", _hint(first), at_key="[key]" in first["loc"])


def _hint(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    meant = context.get("new_word")
    if detail["type"] == "literal_error":
        meant = closest(str(detail["input"]), re.findall(r"'([^']*)'", context["expected"]))
    return f"Did you mean '{meant}'?" if meant else "Correct the value."


def _located_path(loc: YamlPath, data: Any) -> YamlPath:
    """pydantic's location without what the file does not have: the tags of unions, the mark of a wrong key."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        inside = part in (data if isinstance(data, dict) else range(len(data)) if isinstance(data, tuple) else ())
        if inside:
            data = cast("dict[str | int, Any]", data)[part]
        if inside or (position == len(loc) - 1 and part != "[key]"):
            path.append(part)
    return tuple(path)


def _field_names(of: type[Strict] = Strict) -> Iterator[str]:
    for shape in of.__subclasses__():
        yield from (field.alias or name for name, field in shape.model_fields.items())
        yield from _field_names(shape)
