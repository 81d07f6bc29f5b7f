"""YAML that remembers where everything stands, so that an error can name file, line and column."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from zoo.errors import InputError
from zoo.files import cache_folder, keep
from zoo.names import closest
from zoo.strict import Strict
from zoo.yaml_nodes import Places, YamlPath, read_nodes

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True)
class Located:
    """A YAML file as plain data (mappings with text keys, tuples, scalars) that can tell where each item stands.

    Reading YAML with its places takes ten times as long as the rest of a command, so the data of a file seen before
    comes from a cache and the places are only read when something is wrong.
    """

    name: str
    text: str
    data: Any

    def error(self, path: YamlPath, what: str, hint: str = "", *, at_key: bool = False) -> InputError:
        """The error for the item at `path`: its place, its path in words, what is wrong, what to do next."""
        line, column = self.place(path, at_key=at_key)
        words = " → ".join(str(part) for part in path)
        return InputError(f"{self.name}:{line}:{column}: {words + ': ' if words else ''}{what}", hint)

    def place(self, path: YamlPath, *, at_key: bool = False) -> tuple[int, int]:
        """Line and column of the item at `path`, or of the nearest item around it that the file has."""
        places = self._places
        first, second = (places.keys, places.values) if at_key else (places.values, places.keys)
        for end in range(len(path), -1, -1):
            for marks in (first, second):
                if path[:end] in marks:
                    return marks[path[:end]]
        return (1, 1)

    @functools.cached_property
    def _places(self) -> Places:
        return read_nodes(self.text, self.name)[1]


def read_located(file: Path) -> Located:
    """Read a YAML 1.2 file. Raises InputError with line and column for what is not YAML or names a key twice."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{file.name} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8.") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.", "Check the path.") from None
    digest = hashlib.sha256(text.encode()).hexdigest()
    cache = cache_folder() / f"yaml-{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:16]}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        cached = json.loads(cache.read_text("utf-8"), object_hook=_as_tuples)
        if cached["sha256"] == digest:
            return Located(file.name, text, cached["data"])
    located = parse_located(text, file.name)
    with contextlib.suppress(TypeError):  # a date or another scalar that JSON has not: then there is no cache
        keep(cache, json.dumps({"sha256": digest, "data": located.data}))
    return located


def parse_located(text: str, name: str) -> Located:
    """As `read_located`, from text and without the cache; `name` is what errors call the file."""
    return Located(name, text, read_nodes(text, name)[0])


def validated(shape: type[Shape], located: Located) -> Shape:
    """The file's data as `shape`. Raises InputError at the first thing that does not fit, counting the rest."""
    try:
        return shape.model_validate(located.data)
    except ValidationError as error:
        raise _first(error, located) from None


def _as_tuples(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: _tupled(value) for key, value in mapping.items()}


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value


def _first(error: ValidationError, located: Located) -> InputError:
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
    return located.error(path, f"{what}{given}{more}.", "Mend the value.", at_key="[key]" in first["loc"])


def _located_path(loc: tuple[str | int, ...], data: Any) -> tuple[str | int, ...]:
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
