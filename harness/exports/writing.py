"""Files of an export on disk: each whole, none where one is refused, and nothing that is there already is changed."""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from zoo.errors import NotWritable, OutputExists
from zoo.files import fsync_path

Lines = Iterable[bytes]


class Files:
    """Files below `out` that are written beside it first, and put in their places together by `publish`.

    Use as a context: what was written and not published is taken away at its end.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._temporary = out / f".export.{os.getpid()}.part"
        self._names: list[str] = []
        self._is_new = not out.exists()

    def __enter__(self) -> Files:
        self._attempt(lambda: self._temporary.mkdir(parents=True))
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._temporary, ignore_errors=True)
        if self._is_new:
            with contextlib.suppress(OSError):  # what was published is in it
                self._out.rmdir()

    def write(self, name: str, lines: Lines) -> None:
        """Write a file by its path below `out`, its parts separated by `/`. Raises NotWritable and what the lines do."""
        path = self._temporary / name

        def written() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.writelines(lines)

        self._attempt(written)
        self._names.append(name)

    def publish(self) -> tuple[Path, ...]:
        """Put every file in its place, and return the places in the order in which they were written.

        OutputExists where another file of one of those names is there: then none is put. A file of equal bytes is the same.
        """
        places = [self._out / name for name in self._names]
        for name, place in zip(self._names, places, strict=True):
            if place.exists() and not (place.is_file() and filecmp.cmp(place, self._temporary / name, shallow=False)):
                raise OutputExists(
                    f"{place} is there already and differs: nothing was written.",
                    "Give another folder (`--out DIR`), or take that file away first.",
                )
        self._attempt(lambda: self._put(places))
        return tuple(places)

    def _put(self, places: Iterable[Path]) -> None:
        for name, place in zip(self._names, places, strict=True):
            place.parent.mkdir(parents=True, exist_ok=True)
            fsync_path(self._temporary / name)
            (self._temporary / name).replace(place)

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            raise NotWritable(
                f"The export cannot be written to {self._out}: {error.strerror or error}.",
                "Give a folder that can be written, with room for it: `minizoo export --out DIR`.",
            ) from error
