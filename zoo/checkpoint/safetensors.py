"""Safetensors files by their headers alone: which tensors, where, and whether the file is whole. No torch, no mapping."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from zoo.checkpoint.forms.pointers import refuse_pointers
from zoo.errors import WeightsMismatch, WeightsTruncated

T = TypeVar("T")

BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
BLOCK = 4 << 20
"""Bytes that are compared at a time."""


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor's bytes are: `start` counts from the beginning of the file."""

    name: str
    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int


def stored_tensors(files: Iterable[Path]) -> dict[str, StoredTensor]:
    """The tensors of all files by name, whole by their headers.

    Raises WeightsTruncated for a file that is not as long as its header says, WeightsMismatch for a tensor that two files
    hold with other bytes: transformers would take the last one's.
    """
    found: dict[str, StoredTensor] = {}
    for file in files:
        for name, tensor in read_header(file).items():
            if name in found and not same_bytes(found[name], tensor):
                raise WeightsMismatch(
                    f"{name} is in {found[name].file.name} and, with other values, in {file.name} of {file.parent}.",
                    "The folder mixes two saves: fetch or write the checkpoint again.",
                )
            found[name] = tensor
    return found


def same_bytes(one: StoredTensor, other: StoredTensor) -> bool:
    """Whether two tensors are stored alike: dtype, shape and bytes. Reads up to the first difference."""
    if (one.dtype, one.shape, one.size) != (other.dtype, other.shape, other.size):
        return False
    with one.file.open("rb") as first, other.file.open("rb") as second:
        first.seek(one.start)
        second.seek(other.start)
        for at in range(0, one.size, BLOCK):
            length = min(BLOCK, one.size - at)
            if first.read(length) != second.read(length):
                return False
    return True


def read_header(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one file, in the order of their bytes.

    Raises WeightsTruncated unless it is as long as its header says, PointerFile for a pointer of Git LFS.
    """
    refuse_pointers([path])
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            (header_length,) = struct.unpack("<Q", file.read(8))
            if header_length > size:
                raise ValueError("the header is longer than the file")
            header: dict[str, Any] = json.loads(file.read(header_length))
            base = 8 + header_length
            found = [_tensor(path, base, n, entry) for n, entry in header.items() if n != "__metadata__"]
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsTruncated(
            f"{path} is not a whole safetensors file ({error}).", "Fetch or write it again."
        ) from None
    expected = max((tensor.start + tensor.size for tensor in found), default=base)
    if size != expected:
        raise WeightsTruncated(
            f"{path} has {size:,} bytes where its header says {expected:,}.", "Fetch or write the file again."
        )
    return {tensor.name: tensor for tensor in sorted(found, key=lambda tensor: tensor.start)}


def header_bytes(tensors: dict[str, tuple[str, tuple[int, ...]]]) -> bytes:
    """The header of a file that will hold these tensors (name → dtype, shape) one after another, padded to 8 bytes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (dtype, shape) in tensors.items():
        end = at + nbytes(dtype, shape)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def in_shards(
    tensors: Iterable[T], most: int, size: Callable[[T], int], dtype: Callable[[T], str]
) -> list[tuple[str, tuple[T, ...]]]:
    """The files of a checkpoint as (name, tensors): as many each as fit into `most` bytes, named as the hub names them.

    Inside a file wider dtypes come first, so that every tensor begins at a multiple of its own width, as readers want it.
    """
    groups: list[list[T]] = [[]]
    filled = 0
    for tensor in tensors:
        if groups[-1] and filled + size(tensor) > most:
            groups.append([])
            filled = 0
        groups[-1].append(tensor)
        filled += size(tensor)
    names = [f"model-{at:05d}-of-{len(groups):05d}.safetensors" for at in range(1, len(groups) + 1)]
    ordered = (tuple(sorted(group, key=lambda tensor: -BYTES[dtype(tensor)])) for group in groups)
    return list(zip(names if len(groups) > 1 else ["model.safetensors"], ordered, strict=True))


def nbytes(dtype: str, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor of that dtype and shape."""
    count = BYTES[dtype]
    for length in shape:
        count *= length
    return count


def _tensor(path: Path, base: int, name: str, entry: dict[str, Any]) -> StoredTensor:
    first, last = entry["data_offsets"]
    shape = tuple(int(length) for length in entry["shape"])
    if first < 0 or (entry["dtype"] in BYTES and last - first != nbytes(entry["dtype"], shape)):
        raise ValueError(f"{name} has {last - first} bytes, not what its shape says")
    return StoredTensor(name, path, str(entry["dtype"]), shape, base + first, last - first)
