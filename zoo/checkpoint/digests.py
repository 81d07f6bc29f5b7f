"""What identifies a checkpoint's files: sha256 over names and bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model")


def tokenizer_files(folder: Path) -> list[Path]:
    """The tokenizer's files that the folder has."""
    return [path for name in TOKENIZER_FILES if (path := folder / name).is_file()]


def digest_of(paths: Iterable[Path]) -> str:
    """sha256 over each file's name and its own sha256, in the order given."""
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            whole.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()
