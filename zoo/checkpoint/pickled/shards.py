"""Tensors of pickled files into safetensors files of bounded size, a block at a time; the same bytes every time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from zoo.checkpoint.pickled.sources import Source
from zoo.checkpoint.safetensors import BYTES, header_bytes, in_shards
from zoo.checkpoint.weight_files import INDEX
from zoo.errors import WeightsTruncated
from zoo.files import write_atomically

SHARD_BYTES = 4 << 30
"""Of one file at most, but for a single tensor that is larger."""
BLOCK = 8 << 20
"""Bytes of one read and one write."""


@dataclass(frozen=True)
class Shard:
    """One file and its tensors in the order of their bytes: wider dtypes first, so that each is aligned."""

    name: str
    tensors: tuple[Source, ...]

    @property
    def size(self) -> int:
        """Bytes of the tensors."""
        return sum(tensor.size for tensor in self.tensors)


def plan_shards(tensors: Sequence[Source], most: int) -> list[Shard]:
    """Which tensor goes into which file: in the order in which they lie in theirs, a new file where one is full."""
    placed = sorted(tensors, key=lambda tensor: (str(tensor.file), tensor.start, tensor.name))
    files = in_shards(placed, most, size=lambda tensor: tensor.size, dtype=lambda tensor: tensor.dtype)
    return [Shard(name, group) for name, group in files]


def write_shards(shards: Sequence[Shard], folder: Path, progress: Callable[[int], None]) -> None:
    """Write the files, and the index where there are several. `progress` takes the bytes that were written at a time.

    Raises WeightsTruncated where a pickled file becomes shorter meanwhile, OSError of the disk.
    """
    for shard in shards:
        with (folder / shard.name).open("wb") as out:
            header = header_bytes({tensor.name: (tensor.dtype, tensor.shape) for tensor in shard.tensors})
            os.posix_fallocate(out.fileno(), 0, len(header) + shard.size)
            out.write(header)
            for tensor in shard.tensors:
                _copy(tensor, out, progress)
    if len(shards) > 1:
        files = {tensor.name: shard.name for shard in shards for tensor in shard.tensors}
        content = {
            "metadata": {"total_size": sum(shard.size for shard in shards)},
            "weight_map": {name: files[name] for name in sorted(files)},
        }
        write_atomically(folder / INDEX, json.dumps(content, indent=2).encode() + b"\n")


def _copy(tensor: Source, out: BinaryIO, progress: Callable[[int], None]) -> None:
    """A tensor's bytes in row-major order: block by block where they stand so, else gathered from its span in memory."""
    with tensor.file.open("rb", buffering=0) as file:
        if tensor.contiguous:
            buffer = bytearray(min(BLOCK, max(tensor.size, 1)))
            for at in range(0, tensor.size, BLOCK):
                part = memoryview(buffer)[: min(BLOCK, tensor.size - at)]
                _read(file.fileno(), tensor, tensor.start + at, part)
                out.write(part)
                progress(len(part))
        elif tensor.size:
            span = bytearray(tensor.span)
            _read(file.fileno(), tensor, tensor.start, memoryview(span))
            out.write(_gathered(span, tensor).data)
            progress(tensor.size)


def _gathered(span: bytearray, tensor: Source) -> np.ndarray[tuple[int, ...], np.dtype[np.unsignedinteger]]:
    item = BYTES[tensor.dtype]
    flat = np.frombuffer(span, np.dtype(f"u{item}"))
    strides = tuple(stride * item for stride in tensor.strides)
    return np.ascontiguousarray(np.lib.stride_tricks.as_strided(flat, tensor.shape, strides, writeable=False))


def _read(handle: int, tensor: Source, at: int, part: memoryview) -> None:
    done = 0
    while done < len(part):
        got = os.preadv(handle, [part[done:]], at + done)
        if got == 0:
            raise WeightsTruncated(f"{tensor.file} became shorter while it was read.", "Fetch the file again.")
        done += got
