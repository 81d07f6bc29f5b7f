"""YAML that remembers where everything stands, so that an error can name file, line and column."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from zoo.cache import cache_folder, keep
from zoo.errors import UsageError

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Places:
    """Line and column, counted from 1, of every key and value by its path."""

    values: Mapping[Path, tuple[int, int]]
    keys: Mapping[Path, tuple[int, int]]


@dataclass(frozen=True)
class Located:
    """A YAML file as plain data (mappings with text keys, tuples, scalars) that can tell where each item stands.

    Reading YAML with its places takes ten times as long as the rest of a command, so the data of a file seen before
    comes from a cache and the places are only read when something is wrong.
    """

    name: str
    text: str
    data: Any

    def error(self, path: Path, what: str, mend: str = "", *, at_key: bool = False) -> UsageError:
        """The error for the item at `path`: its place, its path in words, what is wrong, what to do next."""
        line, column = self.place(path, at_key=at_key)
        words = " → ".join(str(part) for part in path)
        return UsageError(f"{self.name}:{line}:{column}: {words + ': ' if words else ''}{what}", mend)

    def place(self, path: Path, *, at_key: bool = False) -> tuple[int, int]:
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
        from zoo.yaml_nodes import read_nodes

        return read_nodes(self.text, self.name)[1]


def read_located(file: FilePath) -> Located:
    """Read a YAML 1.2 file. Raises UsageError with line and column for what is not YAML or names a key twice."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file.name} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8.") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "Check the path.") from None
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
    from zoo.yaml_nodes import read_nodes

    return Located(name, text, read_nodes(text, name)[0])


def _as_tuples(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: _tupled(value) for key, value in mapping.items()}


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value
