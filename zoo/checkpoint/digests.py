"""What identifies a checkpoint's files: sha256 over names and bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path


def digest_of(paths: Iterable[Path], within: Path | None = None) -> str:
    """sha256 over each file's name and its own sha256, in the order given; the name is its path `within` a folder."""
    whole: dict[str, str] = {}
    for path in paths:
        name = path.relative_to(within).as_posix() if within else path.name
        with path.open("rb") as file:
            whole[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digest_of_digests(whole)


def digest_of_digests(digests: Mapping[str, str]) -> str:
    """As `digest_of`, of files whose sha256 is known: name → sha256."""
    whole = hashlib.sha256()
    for name, digest in digests.items():
        whole.update(f"{name}\0{digest}\n".encode())
    return whole.hexdigest()
