"""Calibration data: a file of text or token ids as rows of token ids of one length, drawn by seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InvalidCalibration

SAMPLES = 1024
"""Rows the paper draws (arXiv 2407.14679 §2.2)."""
Encode = Callable[[Sequence[str]], list[list[int]]]
"""Texts → their token ids, without special tokens."""


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
class CalibrationText:
    """A file, and the parent's tokenizer as the one function that is needed, with its special ids. Token ids need none."""

    path: Path
    encode: Encode | None = None
    bos: int | None = None
    eos: int | None = None


@dataclass(frozen=True)
class Sampling:
    """How many rows of how many tokens are drawn by which seed; fewer where the text is shorter."""

    samples: int = SAMPLES
    length: int = 512
    seed: int = 0


def read_calibration(text: CalibrationText, vocab_size: int, sampling: Sampling) -> Calibration:
    """Rows of a file: `.txt` one text, `.jsonl` a `text` a line (joined by `eos`), `.npy` token ids of 32 or 64 bits.

    Each row of text begins with `bos`. Raises InvalidCalibration for another file, ids of 16 bits (they overflow
    from 65,536 on, silently), ids outside the vocabulary, and text shorter than one row.
    """
    path = text.path
    if path.suffix == ".npy":
        stream, first = _token_file(path), None
    else:
        stream, first = _encoded(text), text.bos
    if stream.size and not 0 <= int(stream.min()) <= int(stream.max()) < vocab_size:
        raise InvalidCalibration(
            f"{path} has token id {int(stream.max())}, the model a vocabulary of {vocab_size}.",
            "Take the parent's own tokenizer.",
        )
    width = sampling.length - (first is not None)
    count = len(stream) // width if width > 0 else 0
    if not count:
        raise InvalidCalibration(
            f"{path} has {len(stream)} tokens, less than one row of {sampling.length}.",
            "Give more text, or a smaller --length.",
        )
    rows = stream[: count * width].reshape(count, width)
    chosen = np.sort(np.random.default_rng(sampling.seed).permutation(count)[: sampling.samples])
    rows = rows[chosen]
    if first is not None:
        rows = np.concatenate([np.full((len(rows), 1), first, dtype=np.int64), rows], axis=1)
    return Calibration(path.name, np.ascontiguousarray(rows))


def _encoded(text: CalibrationText) -> NDArray[np.int64]:
    path = text.path
    if text.encode is None:
        raise InvalidCalibration(f"{path} is text, and there is no tokenizer for it.", "Give token ids as .npy.")
    try:
        content = path.read_text("utf-8")
    except FileNotFoundError:
        raise InvalidCalibration(f"There is no {path}.", "Give a .txt, .jsonl or .npy file.") from None
    except UnicodeDecodeError:
        raise InvalidCalibration(f"{path} is not UTF-8 text.", "Give a .txt, .jsonl or .npy file.") from None
    if path.suffix != ".jsonl":
        return np.array(text.encode([content])[0], dtype=np.int64)
    lines = [_text_of(line, path, at) for at, line in enumerate(content.splitlines(), 1) if line.strip()]
    ids: list[int] = []
    for row in text.encode(lines):
        ids += [*row, *([text.eos] if text.eos is not None else [])]
    return np.array(ids, dtype=np.int64)


def _text_of(line: str, path: Path, number: int) -> str:
    try:
        found: Any = json.loads(line)["text"]
        if not isinstance(found, str):
            raise TypeError("'text' is no string")
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidCalibration(f"{path}:{number} holds no text ({error!r}).", 'Write {"text": "…"} a line.') from None
    return found


def _token_file(path: Path) -> NDArray[np.int64]:
    try:
        ids: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InvalidCalibration(
            f"{path} is no .npy file of token ids ({error}).", "Write it with numpy.save."
        ) from None
    if ids.dtype.kind not in "iu" or ids.dtype.itemsize < 4:
        raise InvalidCalibration(
            f"{path} holds {ids.dtype} token ids; 16 bits overflow silently from token 65,536 on.",
            "Write the ids as int32 or int64.",
        )
    return ids.reshape(-1).astype(np.int64)
