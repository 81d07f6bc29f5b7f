"""Rows of a stored tensor as unsigned integers of its width, and their values in fp32. Plain reads, never a mapping."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.checkpoint.safetensors import StoredTensor
from zoo.errors import WeightsTruncated

RawBits = NDArray[Any]


@dataclass(frozen=True)
class Bits:
    """How a float dtype is stored: the integers of its width, and the bits of +infinity (larger ones are NaN)."""

    unsigned: type[np.unsignedinteger[Any]]
    signed: type[np.signedinteger[Any]]
    infinity: int


BITS = {
    "F32": Bits(np.uint32, np.int32, 0x7F800000),
    "BF16": Bits(np.uint16, np.int16, 0x7F80),
    "F16": Bits(np.uint16, np.int16, 0x7C00),
}
"""The safetensors dtypes whose rows can be read."""


def read_rows(tensor: StoredTensor, first: int, count: int) -> RawBits:
    """Rows first … first+count−1 of a tensor as unsigned integers [count, columns]."""
    with tensor.file.open("rb", buffering=0) as file:
        return read_into(file.fileno(), tensor, first, count, np.empty(count * row_bytes(tensor), np.uint8))


def read_into(handle: int, tensor: StoredTensor, first: int, count: int, buffer: NDArray[np.uint8]) -> RawBits:
    """As `read_rows`, from an open file into the beginning of `buffer`, which the result shares its memory with.

    Raises WeightsTruncated where the file ends before the rows do.
    """
    size = count * row_bytes(tensor)
    view, done = memoryview(buffer.data)[:size], 0
    while done < size:
        got = os.preadv(handle, [view[done:]], tensor.start + first * row_bytes(tensor) + done)
        if got == 0:
            raise WeightsTruncated(f"{tensor.file} became shorter while it was read.", "Fetch or write it again.")
        done += got
    return buffer[:size].view(BITS[tensor.dtype].unsigned).reshape(count, -1)


def row_bytes(tensor: StoredTensor) -> int:
    """Bytes of one row; of a vector, those of one element."""
    return tensor.size // tensor.shape[0]


def all_finite(raw: RawBits, dtype: str) -> bool:
    """Whether no value is NaN or infinite."""
    bits = BITS[dtype]
    sign = 1 << (8 * bits.unsigned().itemsize - 1)
    # as signed integers the largest is the worst positive value, as unsigned ones the worst negative one
    return bool(raw.view(bits.signed).max() < bits.infinity and raw.max() < bits.infinity + sign)


def to_float(raw: RawBits, dtype: str) -> NDArray[np.float32]:
    """Bits of a dtype as fp32."""
    if dtype == "BF16":
        return (raw.astype(np.uint32) << 16).view(np.float32)
    return raw.view(np.float16).astype(np.float32) if dtype == "F16" else raw.view(np.float32)


def from_float(values: NDArray[np.float32], dtype: str) -> RawBits:
    """fp32 as bits of a dtype, rounded to nearest, ties to even."""
    if dtype == "BF16":
        bits = values.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return values.astype(np.float16).view(np.uint16) if dtype == "F16" else values.view(np.uint32)
