"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from zoo.errors import EnvironmentFault


def check_writable(folder: Path) -> None:
    """Make the folder and prove that it takes a file, before hours of work depend on it; EnvironmentFault if not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise EnvironmentFault(
            f"The folder {folder} cannot be written to ({error.strerror or error}).",
            "Free some space or mend its permissions, or give another --results.",
        ) from None


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
        _fsync(path)
    temporary.rename(final)
    _fsync(final.parent)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
