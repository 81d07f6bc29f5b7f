"""What a walk over the syntax of a source tree says: who imports whom, circles, sizes and raises. Nothing is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Set
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

Graph = dict[str, set[str]]
CODE_SUFFIXES = {".py", ".sql", ".css", ".js", ".j2"}
_TARGET = re.compile(r"[a-z_]+(\.\w+)+(:\w+)?")
"""A module named in a string, as in a table of lazily imported commands: `package.module:function`."""


class SourceTree:
    """The Python files of some top-level packages below `root`, each under its dotted name."""

    def __init__(self, root: Path, rooms: list[str]) -> None:
        self.root = root
        self.rooms = rooms
        self.files = {self._name(path): path for room in rooms for path in sorted((root / room).rglob("*.py"))}

    def _name(self, path: Path) -> str:
        parts = path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def packages(self) -> list[str]:
        return [name for name, path in self.files.items() if path.name == "__init__.py"]

    @cached_property
    def imports(self) -> Graph:
        """File → files that it imports anywhere, also in functions, under TYPE_CHECKING and by name in a string."""
        return {name: self._imported(path) - {name} for name, path in self.files.items()}

    def _imported(self, path: Path) -> set[str]:
        found: set[str] = set()
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    found.add(inner if inner in self.files else str(node.module))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _TARGET.fullmatch(node.value):
                found.add(node.value.split(":")[0])
        return found & set(self.files)

    def reachable(self, name: str) -> set[str]:
        """Every file that a file imports, directly or through others."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            new = self.imports[waiting.pop()] - found
            found |= new
            waiting += new
        return found

    def children_graph(self, package: str) -> Graph:
        """The imports between a package's direct children: a file or a whole sub-package is one node."""
        graph: Graph = {}
        for name, targets in self.imports.items():
            if (child := _child(package, name)) is not None:
                within = {_child(package, target) for target in targets} - {None, child}
                graph.setdefault(child, set()).update(str(one) for one in within)
        return graph

    def upward(self) -> list[str]:
        """Imports of a room by a room that stands below it."""
        level = {room: height for height, room in enumerate(self.rooms)}
        return [
            f"{name} imports {target}"
            for name, targets in self.imports.items()
            for target in sorted(targets)
            if level[target.split(".")[0]] < level[name.split(".")[0]]
        ]

    def outside(self, package: str, allowed: Mapping[str, Set[str]]) -> list[str]:
        """Imports between the children of a package that the table does not allow, and children that it does not name."""
        graph = self.children_graph(package)
        unnamed = [f"{package}.{child} has no storey" for child in graph if child not in allowed]
        return unnamed + [
            f"{package}.{child} imports {package}.{target}"
            for child, targets in graph.items()
            for target in sorted(targets - allowed.get(child, set()))
        ]

    def circles(self) -> list[str]:
        """One circle of each graph that has one: all files, and the children of each package."""
        graphs = {"files": self.imports, **{package: self.children_graph(package) for package in self.packages}}
        return [f"{where}: {' → '.join(found)}" for where, graph in graphs.items() if (found := circle(graph))]

    def crowded(self, most: int) -> list[str]:
        """Packages with more than `most` files beside their `__init__`."""
        counts = {p: sum(f.is_file() for f in self.files[p].parent.iterdir()) for p in self.packages}
        extra = {
            p: {"__init__.py", "py.typed"} & {f.name for f in self.files[p].parent.iterdir()} for p in self.packages
        }
        return [f"{p} has {n - len(extra[p])} files" for p, n in counts.items() if n - len(extra[p]) > most]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _child(package: str, name: str) -> str | None:
    if not name.startswith(f"{package}."):
        return None
    return name.removeprefix(f"{package}.").split(".")[0]


def circle(graph: Graph) -> list[str]:
    """A circle of the graph, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def importers(folder: Path, package: str) -> Iterator[Path]:
    """Python files below a folder that import the package."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(parse(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == package for name in names):
                yield path
                break


def long_files(folder: Path, most: int) -> list[str]:
    """Source files below a folder with more than `most` lines."""
    lengths = {
        path: len(path.read_text("utf-8").splitlines()) for path in folder.rglob("*") if path.suffix in CODE_SUFFIXES
    }
    return [f"{path.relative_to(folder)}: {lines} lines" for path, lines in sorted(lengths.items()) if lines > most]


def long_functions(folder: Path, most: int) -> list[str]:
    """Functions below a folder with more than `most` lines from `def` to their end."""
    return [
        f"{path.relative_to(folder)}:{node.lineno} {node.name}: {lines} lines"
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > most
    ]


def raises(folder: Path, classes: Set[str]) -> list[str]:
    """Places below a folder that raise one of the classes itself."""
    found: list[str] = []
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(parse(path)):
            if not isinstance(node, ast.Raise) or node.exc is None:
                continue
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = getattr(raised, "id", getattr(raised, "attr", ""))
            if name in classes:
                found.append(f"{path.relative_to(folder)}:{node.lineno} {name}")
    return found
