"""Whether two machines see one model in a folder: names, sizes and samples of the bytes, since all would take minutes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

WHOLE_BYTES = 1 << 20
"""A file up to this size is read whole."""
SAMPLES, SAMPLE_BYTES = 32, 1 << 15
"""Of a larger one: pieces of this size, evenly over it. Weights of two checkpoints of one run differ in every piece."""


def described(folder: Path) -> dict[str, str]:
    """File → its size and a digest; nothing for a folder that is not there."""
    files = sorted(path for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))
    return {path.name: _of(path) for path in files}


def difference(wanted: Mapping[str, str], here: Mapping[str, str]) -> str | None:
    """What is not the same, in words; None where all is."""
    if not here:
        return "there is no such folder, or nothing in it"
    if missing := sorted(wanted.keys() - here.keys()):
        return f"{missing[0]} is missing"
    if changed := [name for name in sorted(wanted) if wanted[name] != here[name]]:
        return f"{changed[0]} is another file"
    return None


def _of(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if size <= WHOLE_BYTES:
            digest.update(file.read())
        else:
            for piece in range(SAMPLES):
                file.seek(piece * (size - SAMPLE_BYTES) // (SAMPLES - 1))
                digest.update(file.read(SAMPLE_BYTES))
    return f"{size} {digest.hexdigest()}"
