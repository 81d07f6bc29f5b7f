"""Several registry files read as one: the file that ships with minizoo and the files that a user adds to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import InvalidFile, InvalidRegistry
from zoo.registry.schema import RegistryFile
from zoo.yaml_nodes import YamlPath
from zoo.yaml_source import Located, read_located, validated

SECTIONS = ("sources", "benchmarks", "protocols", "models", "compared")
REQUIRED = ("sources", "models")
"""Sections that the first file must have; an added file has those that it uses."""


@dataclass(frozen=True)
class RegistryFiles:
    """The files of a registry in the order in which they were read; tells which of them an item stands in."""

    located: tuple[Located, ...]

    def holding(self, path: YamlPath) -> Located:
        """The file that has the item at `path` (section, name, …); the first file for what no file has."""
        return next((file for file in self.located if _has(file.data, path[:2])), self.located[0])

    def where(self, path: YamlPath, *, at_key: bool = False) -> str:
        """`file:line:column` of the item at `path`."""
        return self.holding(path).where(path, at_key=at_key)

    def error(self, path: YamlPath, what: str, hint: str = "", *, at_key: bool = False) -> InvalidFile:
        """The error for the item at `path`, with its file, line and column."""
        return self.holding(path).error(path, what, hint, at_key=at_key)


def read_registry_files(files: Sequence[tuple[Path, str]]) -> tuple[RegistryFiles, RegistryFile]:
    """Read each (path, name that errors call it) and merge their sections into one.

    Raises FileMissing for a file that cannot be read, InvalidRegistry for one that is not in the registry's form or
    defines a name that an earlier file has already.
    """
    located = tuple(read_located(path, InvalidRegistry, name) for path, name in files)
    parsed = [validated(RegistryFile, file) for file in located]
    for section in REQUIRED:
        if section not in located[0].data:
            raise located[0].error((), f"'{section}' is missing.", "Add it.", at_key=True)
    for first, second, path in _duplicates(located):
        what = f"this name is already defined in {first.where(path, at_key=True)}."
        raise second.error(path, what, "Choose another name.", at_key=True)
    merged: dict[str, Any] = {
        section: {name: item for file in parsed for name, item in getattr(file, section).items()}
        for section in SECTIONS
    }
    return RegistryFiles(located), RegistryFile.model_construct(schema_=parsed[0].schema_, **merged)


def _duplicates(files: Sequence[Located]) -> Iterator[tuple[Located, Located, YamlPath]]:
    """Names that two files define: the earlier file, the later one, and the path that both have."""
    seen: dict[YamlPath, Located] = {}
    for file in files:
        for section in SECTIONS:
            for name in file.data.get(section, {}):
                path: YamlPath = (section, name)
                if path in seen:
                    yield seen[path], file, path
                seen[path] = file


def _has(data: Any, path: YamlPath) -> bool:
    for part in path:
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True
