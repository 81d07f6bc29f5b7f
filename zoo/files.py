"""Files that are there whole or not at all, caches that may be lost, and folders that are proved to take a file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from zoo.errors import EnvironmentIssue


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary name in the same folder, fsync, rename. On any failure the target is as it was before."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def publish_folder(temporary: Path, final: Path) -> None:
    """Give a finished folder its name: fsync what is in it, rename, fsync the parent."""
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
    """Make the folder and prove that it takes a file, before hours of work depend on it; EnvironmentIssue if not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise EnvironmentIssue(
            f"The folder {folder} cannot be written to ({error.strerror or error}).",
            "Free some space or mend its permissions, or give another folder.",
        ) from None


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/minizoo, else ~/.cache/minizoo. Not created here."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "minizoo"


def keep(path: Path, text: str) -> None:
    """Write a cache file whole or not at all; where the disk says no, the cache stays cold and nothing is raised."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
