"""Calibration text as rows of token ids of one length, drawn by seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError

SAMPLES = 1024
"""Rows the paper draws (arXiv 2407.14679 §2.2)."""
Encode = Callable[[Sequence[str]], list[list[int]]]


@dataclass(frozen=True)
class Calibration:
    """Token ids [rows, length]; `digest` is of the ids themselves, `name` of the file they came from."""

    name: str
    tokens: NDArray[np.int64]

    @property
    def digest(self) -> str:
        """sha256 of shape and ids."""
        return hashlib.sha256(f"{self.tokens.shape}".encode() + self.tokens.astype("<i8").tobytes()).hexdigest()


@dataclass(frozen=True)
class Sampling:
    """How many rows of how many tokens, drawn by which seed; fewer where the text has no more."""

    samples: int = SAMPLES
    length: int = 512
    seed: int = 0


def read_calibration(
    path: Path, encode: Encode, vocab_size: int, sampling: Sampling, bos: int | None = None, eos: int | None = None
) -> Calibration:
    """Rows of a file: `.txt` one text, `.jsonl` a `text` a line (joined by `eos`), `.npy` token ids of 32 or 64 bits.

    Each row of text begins with `bos`. Raises InputError for another file, ids of 16 bits (they overflow from 65,536
    on, silently), ids outside the vocabulary, and text shorter than one row.
    """
    if path.suffix == ".npy":
        stream, first = _token_file(path), None
    else:
        stream, first = _encoded(path, encode, eos), bos
    if stream.size and not 0 <= int(stream.min()) <= int(stream.max()) < vocab_size:
        raise InputError(
            f"{path} has token id {int(stream.max())}, the model a vocabulary of {vocab_size}.",
            "Take the parent's own tokenizer.",
        )
    width = sampling.length - (first is not None)
    count = len(stream) // width if width > 0 else 0
    if not count:
        raise InputError(
            f"{path} has {len(stream)} tokens, less than one row of {sampling.length}.",
            "Give more text, or a smaller --length.",
        )
    rows = stream[: count * width].reshape(count, width)
    chosen = np.sort(np.random.default_rng(sampling.seed).permutation(count)[: sampling.samples])
    rows = rows[chosen]
    if first is not None:
        rows = np.concatenate([np.full((len(rows), 1), first, dtype=np.int64), rows], axis=1)
    return Calibration(path.name, np.ascontiguousarray(rows))


def _encoded(path: Path, encode: Encode, eos: int | None) -> NDArray[np.int64]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise InputError(f"There is no {path}.", "Give a .txt, .jsonl or .npy file.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text.", "Give a .txt, .jsonl or .npy file.") from None
    if path.suffix != ".jsonl":
        return np.array(encode([text])[0], dtype=np.int64)
    ids: list[int] = []
    for row in encode([_text_of(line, path, at) for at, line in enumerate(text.splitlines(), 1) if line.strip()]):
        ids += [*row, *([eos] if eos is not None else [])]
    return np.array(ids, dtype=np.int64)


def _text_of(line: str, path: Path, number: int) -> str:
    try:
        found: Any = json.loads(line)["text"]
        if not isinstance(found, str):
            raise TypeError("'text' is no string")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}:{number} holds no text ({error!r}).", 'Write {"text": "…"} a line.') from None
    return found


def _token_file(path: Path) -> NDArray[np.int64]:
    try:
        ids: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no .npy file of token ids ({error}).", "Write it with numpy.save.") from None
    if ids.dtype.kind not in "iu" or ids.dtype.itemsize < 4:
        raise InputError(
            f"{path} holds {ids.dtype} token ids; 16 bits overflow silently from token 65,536 on.",
            "Write the ids as int32 or int64.",
        )
    return ids.reshape(-1).astype(np.int64)
