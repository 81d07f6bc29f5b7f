"""The run folders on disk, and which of them changed: cheap enough for ten thousand runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SETTLED_NS = 2_000_000_000
"""A folder that changed this recently may change again within the same tick of a coarse clock."""


@dataclass(frozen=True)
class RunFolder:
    """A run's folder. `modified_ns` changes whenever a record is added to it; 0 while that cannot be relied on yet."""

    run_id: str
    folder: Path
    modified_ns: int

    @property
    def records(self) -> list[Path]:
        """Its record files, in order of task name; folders still being written start with a dot and are passed over."""
        return [
            path
            for entry in sorted(os.scandir(self.folder), key=lambda e: e.name)
            if not entry.name.startswith(".") and (path := Path(entry.path) / "record.json").is_file()
        ]


def scan(results: Path) -> Iterator[RunFolder]:
    """Every run folder below `results/runs`, one stat each."""
    runs = results / "runs"
    if not runs.is_dir():
        return
    now = time.time_ns()
    for day in sorted(os.scandir(runs), key=lambda e: e.name):
        if not day.is_dir():
            continue
        for entry in os.scandir(day.path):
            if entry.is_dir() and not entry.name.startswith("."):
                modified = entry.stat().st_mtime_ns
                yield RunFolder(entry.name, Path(entry.path), modified if now - modified > SETTLED_NS else 0)
