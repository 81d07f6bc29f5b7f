"""Names that a user may have mistyped, and what a folder is called."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from zoo.errors import InputError

CACHED = "models--"
"""How the hub's cache begins the name of a model's folder."""


def folder_parts(path: str) -> tuple[str, ...]:
    """The components of a path by which a person calls the folder, the last before all.

    A snapshot in the hub's cache (`models--owner--name/snapshots/<commit>`) is called by its repository, not by its commit.
    """
    parts = tuple(part for part in PurePosixPath(path).parts if part not in ("/", "..", ".", "~"))
    if len(parts) > 2 and parts[-2] == "snapshots" and parts[-3].startswith(CACHED):
        return (*parts[:-3], *parts[-3].removeprefix(CACHED).split("--", 1))
    return parts


def folder_name(folder: Path) -> str:
    """A folder's own name, of a symbolic link that of its target."""
    return next(reversed(folder_parts(str(folder.resolve()))), "/")


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when nothing is near enough to be worth suggesting."""
    by_lower = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def unknown(error: type[InputError], kind: str, name: str, known: Iterable[str], listing: str) -> InputError:
    """The `error` for a name that is not known: suggests the closest one and says where all of them are listed."""
    near = closest(name, known)
    hint = f"Did you mean '{near}'? " if near else ""
    return error(f"There is no {kind} named '{name}'.", f"{hint}{listing}")
