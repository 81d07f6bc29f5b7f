"""What identifies a checkpoint's files: sha256 over names and bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def digest_of(paths: Iterable[Path], within: Path | None = None) -> str:
    """sha256 over each file's name and its own sha256, in the order given; the name is its path `within` a folder."""
    whole = hashlib.sha256()
    for path in paths:
        name = path.relative_to(within).as_posix() if within else path.name
        with path.open("rb") as file:
            whole.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()
