"""Calibration data: the text or token ids of a file as rows of token ids of one length, drawn by seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InvalidCalibration
from zoo.prune.calibration_file import COLUMN, read_texts, token_file

SAMPLES = 1024
"""Rows the paper draws (arXiv 2407.14679 §2.2)."""
Encode = Callable[[Sequence[str]], list[list[int]]]
"""Texts → their token ids, without special tokens."""


@dataclass(frozen=True)
class Calibration:
    """Token ids [rows, length]; `digest` is of the ids themselves, `name` of the file they came from."""

    name: str
    tokens: NDArray[np.int64]
    asked: tuple[int, int] | None = None
    """Rows and tokens a row that were asked for; None where nobody asked for more than there are."""

    @property
    def digest(self) -> str:
        """sha256 of shape and ids."""
        return hashlib.sha256(f"{self.tokens.shape}".encode() + self.tokens.astype("<i8").tobytes()).hexdigest()

    @property
    def is_short(self) -> bool:
        """Whether there are fewer rows, or shorter ones, than were asked for."""
        return self.asked is not None and (self.asked[0] > len(self.tokens) or self.asked[1] > self.tokens.shape[1])

    @property
    def described(self) -> str:
        """How many rows of how many tokens, and what was asked for where that is more."""
        return describe_rows(self.tokens.shape, self.asked)


@dataclass(frozen=True)
class CalibrationText:
    """A file, and the parent's tokenizer as the one function that is needed, with its special ids. Token ids need none."""

    path: Path
    encode: Encode | None = None
    bos: int | None = None
    eos: int | None = None
    column: str = COLUMN


@dataclass(frozen=True)
class Sampling:
    """How many rows of how many tokens are drawn by which seed; fewer where the text is shorter."""

    samples: int = SAMPLES
    length: int = 512
    seed: int = 0


def describe_rows(shape: Sequence[int], asked: Sequence[int] | None) -> str:
    """`94 rows of 512 tokens (1,024 were asked: the text has no more)`, or without brackets where nothing is missing."""
    rows, length = shape
    told = f"{rows:,} rows of {length:,} tokens"
    short: list[str] = []
    if asked and asked[0] > rows:
        short.append(f"{asked[0]:,} rows were asked: the text has no more")
    if asked and asked[1] > length:
        short.append(f"rows of {asked[1]:,} tokens were asked: the model's context is no longer")
    return f"{told} ({'; '.join(short)})" if short else told


def read_calibration(
    text: CalibrationText, vocab_size: int, sampling: Sampling, longest: int | None = None
) -> Calibration:
    """Rows of a file: `.jsonl` a text a line in its column (joined by `eos`), `.npy` token ids of 32 or 64 bits, else one text.

    Each row of text begins with `bos`; none is longer than `longest`. Raises InvalidCalibration for a file of another kind,
    ids of 16 bits (they overflow from 65,536 on, silently), ids outside the vocabulary, and text shorter than one row.
    """
    path = text.path
    if path.suffix.lower() == ".npy":
        stream, first = token_file(path), None
    else:
        stream, first = _encoded(text), text.bos
    if stream.size and not 0 <= int(stream.min()) <= int(stream.max()) < vocab_size:
        wrong = int(stream.min()) if stream.min() < 0 else int(stream.max())
        raise InvalidCalibration(
            f"{path} has token id {wrong}, the model a vocabulary of {vocab_size}.", "Take the parent's own tokenizer."
        )
    length = min(sampling.length, longest or sampling.length)
    width = length - (first is not None)
    count = len(stream) // width if width > 0 else 0
    if not count:
        raise InvalidCalibration(
            f"{path} has {len(stream)} tokens, less than one row of {length}.", "Give more text, or a smaller --length."
        )
    rows = stream[: count * width].reshape(count, width)
    chosen = np.sort(np.random.default_rng(sampling.seed).permutation(count)[: sampling.samples])
    rows = rows[chosen]
    if first is not None:
        rows = np.concatenate([np.full((len(rows), 1), first, dtype=np.int64), rows], axis=1)
    return Calibration(path.name, np.ascontiguousarray(rows), (sampling.samples, sampling.length))


def _encoded(text: CalibrationText) -> NDArray[np.int64]:
    texts, lines = read_texts(text.path, text.column)
    if text.encode is None:
        raise InvalidCalibration(f"{text.path} is text, and there is no tokenizer for it.", "Give token ids as .npy.")
    if not lines:
        return np.array(text.encode(texts)[0], dtype=np.int64)
    ids: list[int] = []
    for row in text.encode(texts):
        ids += [*row, *([text.eos] if text.eos is not None else [])]
    return np.array(ids, dtype=np.int64)
