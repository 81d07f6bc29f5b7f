"""Files that are not what their names say, because a download has not brought them: Git LFS pointers and broken-off fetches."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo.errors import PartlyFetched, PointerFile

POINTER = b"version https://git-lfs.github.com/spec/"
UNFINISHED = ("*.incomplete", ".cache/huggingface/download/*.incomplete", ".cache/huggingface/download/*/*.incomplete")
"""Where the hub's client keeps what it has of a file, in a folder that it downloads to; in its cache that is elsewhere."""


def refuse_pointers(files: Iterable[Path]) -> None:
    """Raise PointerFile for a file that is a pointer of Git LFS. One that is not there or cannot be read is passed over."""
    for path in files:
        try:
            with path.open("rb") as file:
                pointer = file.read(len(POINTER)) == POINTER
        except OSError:
            continue
        if pointer:
            raise PointerFile(
                f"{path} is a pointer of Git LFS, not the file itself.",
                "Fetch what it points to: `git lfs pull` in its folder, or `hf download` of the repository.",
            )


def partly_fetched(folder: Path) -> PartlyFetched | None:
    """Why a folder lacks its weights, where a download into it was broken off; None where nothing says so."""
    pieces = sorted(path.name for pattern in UNFINISHED for path in folder.glob(pattern))
    if not pieces:
        return None
    return PartlyFetched(
        f"{folder} is fetched in part: a download into it was broken off ({len(pieces)} unfinished, first {pieces[0]!r}).",
        "Run the same `hf download … --local-dir` again: it goes on from there.",
    )
