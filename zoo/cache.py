"""Where minizoo keeps what it can compute again."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


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
