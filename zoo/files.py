"""Atomic writes, the cache folder, a check that a folder can be written to, and JSON that may be missing."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO

from zoo.errors import NotWritable


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary name in the same folder, fsync, rename. On any failure the target is unchanged."""
    with atomic_file(path) as file:
        file.write(content)


@contextlib.contextmanager
def atomic_file(path: Path) -> Generator[BinaryIO]:
    """A file to write piece by piece (its `name` is a temporary one), fsynced and renamed at the end of the block.

    Where the block raises, the temporary file is removed and the target is unchanged.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def publish_folder(temporary: Path, final: Path) -> None:
    """Rename a finished folder to its final name: fsync its files, rename, fsync the parent."""
    for path in [*temporary.iterdir(), temporary]:
        fsync_path(path)
    temporary.rename(final)
    fsync_path(final.parent)


def fsync_path(path: Path) -> None:
    """Wait until the file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_writable(folder: Path) -> None:
    """Make the folder and write a file to it, before hours of work depend on it. Raises NotWritable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise NotWritable(
            f"The folder {folder} cannot be written to ({error.strerror or error}).",
            "Free some space, change its permissions, or give another folder.",
        ) from None


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/minizoo, else ~/.cache/minizoo. Not created here."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "minizoo"


def write_cache(path: Path, text: str) -> None:
    """Write a cache file atomically. Best effort: OSError is ignored, and the next reader finds no cache."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


def json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; an empty one where there is none, or it cannot be read."""
    try:
        content: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
