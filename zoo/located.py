"""YAML that remembers where everything stands, so that an error can name file, line and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from zoo.errors import UsageError

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Located:
    """A YAML file as plain data (mappings with text keys, tuples, scalars) with the place of every key and value.

    `values` and `keys` map the path of an item to its (line, column), both counted from 1.
    """

    name: str
    data: Any
    values: Mapping[Path, tuple[int, int]]
    keys: Mapping[Path, tuple[int, int]]

    def error(self, path: Path, what: str, mend: str = "", *, at_key: bool = False) -> UsageError:
        """The error for the item at `path`: its place, its path in words, what is wrong, what to do next."""
        line, column = self.place(path, at_key=at_key)
        words = " → ".join(str(part) for part in path)
        return UsageError(f"{self.name}:{line}:{column}: {words + ': ' if words else ''}{what}", mend)

    def place(self, path: Path, *, at_key: bool = False) -> tuple[int, int]:
        """Line and column of the item at `path`, or of the nearest item around it that the file has."""
        first, second = (self.keys, self.values) if at_key else (self.values, self.keys)
        for end in range(len(path), -1, -1):
            for marks in (first, second):
                if path[:end] in marks:
                    return marks[path[:end]]
        return (1, 1)


def read_located(file: FilePath) -> Located:
    """Read a YAML 1.2 file. Raises UsageError with line and column for what is not YAML or names a key twice."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file.name} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8.") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "Check the path.") from None
    return parse_located(text, file.name)


def parse_located(text: str, name: str) -> Located:
    """As `read_located`, from text; `name` is what errors call the file."""
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
        walk = _Walk(name, yaml)
        data = walk.value(root, ()) if root is not None else None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        raise UsageError(f"{name}:{place}: not YAML: {error.problem or error.context}.", "Mend the line.") from None
    except (YAMLError, ValueError) as error:
        raise UsageError(f"{name}:1:1: not YAML: {' '.join(str(error).split())}.", "Mend the file.") from None
    except RecursionError:
        raise UsageError(f"{name}:1:1: nested too deep to be read.", "Mend the file.") from None
    return Located(name, data, walk.values, walk.keys)


class _Walk:
    """Turns composed nodes into plain data and notes where each stood."""

    def __init__(self, name: str, yaml: YAML) -> None:
        self.name = name
        self.constructor: Any = yaml.constructor
        self.values: dict[Path, tuple[int, int]] = {}
        self.keys: dict[Path, tuple[int, int]] = {}
        self.seen: set[int] = set()

    def value(self, node: Node, path: Path) -> Any:
        self.values[path] = _place(node)
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if id(node) in self.seen:  # a YAML alias: one node at two places would have two homes and may hold itself
            raise self._error(node, "YAML aliases (*name) are not used here", "Write the value out.")
        self.seen.add(id(node))
        items: Sequence[Any] = node.value
        if isinstance(node, SequenceNode):
            return tuple(self.value(item, (*path, index)) for index, item in enumerate(items))
        assert isinstance(node, MappingNode)
        return self._mapping(items, path)

    def _mapping(self, items: Sequence[Any], path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in items:
            if not isinstance(key_node, ScalarNode):
                raise self._error(key_node, "a key must be plain text", "Write a name before the colon.")
            key = str(key_node.value)
            if key in data:
                line, _ = self.keys[*path, key]
                raise self._error(key_node, f"'{key}' stands twice (first in line {line})", "Remove one of the two.")
            self.keys[*path, key] = _place(key_node)
            data[key] = self.value(value_node, (*path, key))
        return data

    def _scalar(self, node: ScalarNode) -> Any:
        try:
            return self.constructor.construct_object(node)
        except (YAMLError, ValueError, OverflowError) as error:
            reason = getattr(error, "problem", None) or error
            raise self._error(node, f"'{node.value}' cannot be read: {reason}", "Mend the value.") from None

    def _error(self, node: Node, what: str, mend: str) -> UsageError:
        line, column = _place(node)
        return UsageError(f"{self.name}:{line}:{column}: {what}.", mend)


def _place(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
