"""Reads a GGUF file: its metadata, and its tensors dequantised to float32. As far as SmolLM2's file needs it.

The form is ggml's (docs/gguf.md of ggml-org/ggml). A block of Q4_1 is 32 weights: a scale d and a least value m in half
precision, then 16 bytes whose low halves are weights 0 to 15 and whose high halves 16 to 31; a weight is d q + m. A block of
Q8_0 is 32 weights: d, then 32 signed bytes; a weight is d q.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

BLOCK = 32
ALIGNMENT = 32
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9

Array = np.ndarray[Any, np.dtype[Any]]


def _plain(raw: Array, dtype: str) -> Array:
    return raw.view(dtype).astype(np.float32)


def _q4_1(raw: Array) -> Array:
    blocks = raw.reshape(-1, 4 + BLOCK // 2)
    scale, least = (blocks[:, at : at + 2].copy().view("<f2").astype(np.float32) for at in (0, 2))
    halves = blocks[:, 4:]
    return scale * np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32) + least


def _q8_0(raw: Array) -> Array:
    blocks = raw.reshape(-1, 2 + BLOCK)
    return blocks[:, :2].copy().view("<f2").astype(np.float32) * blocks[:, 2:].copy().view(np.int8).astype(np.float32)


@dataclass(frozen=True)
class Form:
    """How a type of tensor is stored: bytes of a block, weights of a block, and what turns the bytes into weights."""

    block_bytes: int
    block: int
    weights: Callable[[Array], Array]


FORMS = {
    0: Form(4, 1, lambda raw: _plain(raw, "<f4")),
    1: Form(2, 1, lambda raw: _plain(raw, "<f2")),
    3: Form(4 + BLOCK // 2, BLOCK, _q4_1),
    8: Form(2 + BLOCK, BLOCK, _q8_0),
}
"""Of F32, F16, Q4_1 and Q8_0, by ggml's number of the type."""


@dataclass(frozen=True)
class Place:
    """Where a tensor lies: its shape, rows first, its form, and the byte it begins at."""

    shape: tuple[int, ...]
    form: Form
    begin: int


@dataclass(frozen=True)
class Gguf:
    """A file in memory: what it says, and where its tensors are."""

    content: bytes
    says: Mapping[str, Any]
    places: Mapping[str, Place]

    def tensor(self, name: str) -> Array:
        """The tensor in float32. Raises KeyError for a name that is not there."""
        place = self.places[name]
        count = int(np.prod(place.shape))
        size = count // place.form.block * place.form.block_bytes
        raw = np.frombuffer(self.content, np.uint8, size, place.begin)
        return place.form.weights(raw).reshape(place.shape)


def read_gguf(content: bytes) -> Gguf:
    """The file's metadata and the places of its tensors; ValueError where it is no GGUF of version 2 or 3."""
    reader = _Reader(content)
    if reader.take(4) != b"GGUF" or reader.number("I") not in (2, 3):
        raise ValueError("not a GGUF file of version 2 or 3")
    tensors, entries = reader.number("Q"), reader.number("Q")
    says = {reader.string(): reader.value(reader.number("I")) for _ in range(entries)}
    found: dict[str, tuple[tuple[int, ...], Form, int]] = {}
    for _ in range(tensors):
        name, dimensions = reader.string(), reader.number("I")
        shape = tuple(reader.number("Q") for _ in range(dimensions))[::-1]  # GGUF names the fastest first
        found[name] = (shape, FORMS[reader.number("I")], reader.number("Q"))
    to = says.get("general.alignment", ALIGNMENT)
    start = (reader.at + to - 1) // to * to
    return Gguf(content, says, {name: Place(shape, form, start + at) for name, (shape, form, at) in found.items()})


class _Reader:
    """Takes values off the front, little-endian."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def take(self, size: int) -> bytes:
        self.at += size
        return self.content[self.at - size : self.at]

    def number(self, code: str) -> Any:
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def string(self) -> str:
        return self.take(self.number("Q")).decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            inner, count = self.number("I"), self.number("Q")
            return [self.value(inner) for _ in range(count)]
        return self.number(SCALARS[kind])
