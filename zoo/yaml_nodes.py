"""YAML read node by node, with the place of every item. ruamel is imported on the first call: a file seen before needs none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import InputError

YamlPath = tuple[str | int, ...]
"""Keys and indices from the root of a file to an item."""


@dataclass(frozen=True)
class Places:
    """Line and column, counted from 1, of every key and value by its path."""

    values: Mapping[YamlPath, tuple[int, int]]
    keys: Mapping[YamlPath, tuple[int, int]]


def read_nodes(text: str, name: str) -> tuple[Any, Places]:
    """The plain data of a YAML 1.2 text and where each item stands.

    Raises InputError with line and column for what is not YAML, for a key that stands twice, for an alias.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    yaml = YAML(typ="safe", pure=True)
    walk = _Walk(name, yaml)
    try:
        root = yaml.compose(text)
        data = walk.value(root, ()) if root is not None else None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        raise InputError(f"{name}:{place}: not YAML: {error.problem or error.context}.", "Mend the line.") from None
    except (YAMLError, ValueError) as error:
        raise InputError(f"{name}:1:1: not YAML: {' '.join(str(error).split())}.", "Mend the file.") from None
    except RecursionError:
        raise InputError(f"{name}:1:1: nested too deep to be read.", "Mend the file.") from None
    return data, Places(walk.values, walk.keys)


class _Walk:
    """Turns composed nodes into plain data and notes where each stood."""

    def __init__(self, name: str, yaml: Any) -> None:
        self.name = name
        self.constructor: Any = yaml.constructor
        self.values: dict[YamlPath, tuple[int, int]] = {}
        self.keys: dict[YamlPath, tuple[int, int]] = {}
        self.seen: set[int] = set()

    def value(self, node: Any, path: YamlPath) -> Any:
        self.values[path] = _place(node)
        if node.id == "scalar":
            return self._scalar(node)
        if id(node) in self.seen:  # a YAML alias: one node at two places would have two homes and may hold itself
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
            self.keys[*path, key] = _place(key_node)
            data[key] = self.value(value_node, (*path, key))
        return data

    def _scalar(self, node: Any) -> Any:
        from ruamel.yaml.error import YAMLError

        try:
            return self.constructor.construct_object(node)
        except (YAMLError, ValueError, OverflowError) as error:
            reason = getattr(error, "problem", None) or error
            raise self._error(node, f"'{node.value}' cannot be read: {reason}", "Mend the value.") from None

    def _error(self, node: Any, what: str, hint: str) -> InputError:
        line, column = _place(node)
        return InputError(f"{self.name}:{line}:{column}: {what}.", hint)


def _place(node: Any) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
