"""YAML read node by node, with the position of every item. ruamel is imported on the first call: a cached file needs none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import InvalidFile, one_line

YamlPath = tuple[str | int, ...]
"""Keys and indices from the root of a file to an item."""


@dataclass(frozen=True)
class Positions:
    """Line and column, counted from 1, of every key and value by its path."""

    values: Mapping[YamlPath, tuple[int, int]]
    keys: Mapping[YamlPath, tuple[int, int]]


def read_nodes(text: str, name: str, cause: type[InvalidFile] = InvalidFile) -> tuple[Any, Positions]:
    """The plain data of a YAML 1.2 text and the position of each item; `name` is what errors call the file.

    Raises `cause` with line and column for what is not YAML, for a key that stands twice, for a YAML alias.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    yaml = YAML(typ="safe", pure=True)
    reader = _NodeReader(name, yaml, cause)
    try:
        root = yaml.compose(text)
        data = reader.value(root, ()) if root is not None else None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        raise cause(f"{name}:{place}: not YAML: {error.problem or error.context}.", "Correct the line.") from None
    except (YAMLError, ValueError) as error:
        raise cause(f"{name}:1:1: not YAML: {one_line(error)}.", "Correct the file.") from None
    except RecursionError:
        raise cause(f"{name}:1:1: nested too deep to be read.", "Correct the file.") from None
    return data, Positions(reader.values, reader.keys)


class _NodeReader:
    """Turns composed nodes into plain data and notes the position of each."""

    def __init__(self, name: str, yaml: Any, cause: type[InvalidFile]) -> None:
        self.name = name
        self.cause = cause
        self.constructor: Any = yaml.constructor
        self.values: dict[YamlPath, tuple[int, int]] = {}
        self.keys: dict[YamlPath, tuple[int, int]] = {}
        self.seen: set[int] = set()

    def value(self, node: Any, path: YamlPath) -> Any:
        self.values[path] = _position(node)
        if node.id == "scalar":
            return self._scalar(node)
        if id(node) in self.seen:  # a YAML alias: its node would have two positions, and may contain itself
            raise self._error(node, "YAML aliases (*name) are not used here", "Write the value out.")
        self.seen.add(id(node))
        items: Sequence[Any] = node.value
        if node.id == "sequence":
            return tuple(self.value(item, (*path, index)) for index, item in enumerate(items))
        return self._mapping(items, path)

    def _mapping(self, items: Sequence[Any], path: YamlPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in items:
            if key_node.id != "scalar":
                raise self._error(key_node, "a key must be plain text", "Write a name before the colon.")
            key = str(key_node.value)
            if key in data:
                line, _ = self.keys[*path, key]
                raise self._error(key_node, f"'{key}' stands twice (first in line {line})", "Remove one of the two.")
            self.keys[*path, key] = _position(key_node)
            data[key] = self.value(value_node, (*path, key))
        return data

    def _scalar(self, node: Any) -> Any:
        from ruamel.yaml.error import YAMLError

        try:
            return self.constructor.construct_object(node)
        except (YAMLError, ValueError, OverflowError) as error:
            reason = getattr(error, "problem", None) or error
            raise self._error(node, f"'{node.value}' cannot be read: {reason}", "Correct the value.") from None

    def _error(self, node: Any, what: str, hint: str) -> InvalidFile:
        line, column = _position(node)
        return self.cause(f"{self.name}:{line}:{column}: {what}.", hint)


def _position(node: Any) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
