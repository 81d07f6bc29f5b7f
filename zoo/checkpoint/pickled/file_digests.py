"""sha256 of large files that stay as they are: computed once, then known by device, inode, size and times."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.files import write_cache

SETTLED_NS = 2_000_000_000
"""A file that changed less than this before it was read may change again within one tick of its clock: not remembered."""
BLOCK = 8 << 20


def identity(path: Path) -> list[int]:
    """What changes when a file is written, replaced or touched. Links are followed."""
    state = path.stat()
    return [state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns]


def known_sha256(path: Path, cache: Path, progress: Callable[[int], None]) -> str:
    """The file's sha256, from `cache` where the file is the one that it was computed of. `progress` takes bytes at a time."""
    real = path.resolve()
    note = cache / f"{hashlib.sha256(os.fsencode(real)).hexdigest()}.json"
    before, began = identity(real), time.time_ns()
    try:
        noted: Any = json.loads(note.read_text("utf-8"))
        if noted["identity"] == before:
            progress(before[2])
            return str(noted["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    digest = hashlib.sha256()
    with real.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            progress(len(block))
    if identity(real) == before and began - max(before[3], before[4]) > SETTLED_NS:
        write_cache(note, json.dumps({"identity": before, "sha256": digest.hexdigest()}))
    return digest.hexdigest()
