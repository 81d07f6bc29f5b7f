"""Safetensors files written from parts that are never joined, with what they are of and their digest in the header."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.checkpoint.safetensors import StoredTensor, read_header
from zoo.errors import CacheBroken, InputError
from zoo.files import atomic_file

DTYPES = {
    torch.int64: "I64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
}
TORCH = {word: dtype for dtype, word in DTYPES.items()}
BLOCK = 4 << 20
"""Bytes that are read at a time where a whole file is checked."""
AGAIN = "Remove the file and give the same command: what it held is made again."


def write_tensors(path: Path, parts: Mapping[str, Sequence[Tensor]], identity: str) -> int:
    """Write each name's parts one below the other, atomically, and return the file's bytes. Every name has a part.

    The header has `identity` (what the file belongs to) and the sha256 of all that follows it.
    """
    blocks = {name: [_bytes(part) for part in of_name] for name, of_name in parts.items()}
    digest = hashlib.sha256()
    header: dict[str, Any] = {}
    at = 0
    for name, of_name in parts.items():
        size = sum(block.nbytes for block in blocks[name])
        shape = [sum(len(part) for part in of_name), *of_name[0].shape[1:]]
        header[name] = {"dtype": DTYPES[of_name[0].dtype], "shape": shape, "data_offsets": [at, at + size]}
        at += size
        for block in blocks[name]:
            digest.update(block)
    header["__metadata__"] = {"identity": identity, "sha256": digest.hexdigest()}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_file(path) as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for block in (block for name in parts for block in blocks[name]):
            file.write(block)
    return 8 + len(text) + at


class TensorFile:
    """Such a file, of which any rows can be read; nothing of it stays in memory.

    Raises CacheBroken for one that is missing, not whole by its header, or of another cache than `identity`.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        try:
            self.tensors: dict[str, StoredTensor] = read_header(path)
            with path.open("rb") as file:
                (self._header,) = struct.unpack("<Q", file.read(8))
                told = json.loads(file.read(self._header)).get("__metadata__", {})
        except FileNotFoundError:
            raise CacheBroken(f"{path} is missing.", "Give the same command again: it is made again.") from None
        except InputError as error:
            raise CacheBroken(error.what, AGAIN) from None
        self._digest: str = told.get("sha256", "")
        if told.get("identity") != identity:
            raise CacheBroken(f"{path} belongs to another teacher's cache.", "Move it where it came from.")

    @property
    def size(self) -> int:
        """The file's bytes."""
        return 8 + self._header + sum(tensor.size for tensor in self.tensors.values())

    def read(self, name: str, first: int = 0, end: int | None = None) -> Tensor:
        """Rows first … end−1 of a tensor, all of them without `end`."""
        tensor = self.tensors[name]
        end = tensor.shape[0] if end is None else end
        width = tensor.size // tensor.shape[0] if tensor.shape[0] else 0
        buffer = bytearray((end - first) * width)
        if not buffer:
            return torch.empty((0, *tensor.shape[1:]), dtype=TORCH[tensor.dtype])
        with self.path.open("rb", buffering=0) as file:
            _fill(file.fileno(), memoryview(buffer), tensor.start + first * width, self.path)
        return torch.frombuffer(buffer, dtype=TORCH[tensor.dtype]).view(-1, *tensor.shape[1:])

    def check(self) -> None:
        """Read it whole. Raises CacheBroken where its bytes are not those that were written."""
        found = hashlib.sha256()
        for block in self._blocks():
            found.update(block)
        if found.hexdigest() != self._digest:
            raise CacheBroken(f"{self.path} has other bytes than were written (its sha256 differs).", AGAIN)

    def _blocks(self) -> Iterable[bytes]:
        with self.path.open("rb") as file:
            file.seek(8 + self._header)
            while block := file.read(BLOCK):
                yield block


def _bytes(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().view(-1)
    return flat.view(torch.uint8).numpy().data if len(flat) else memoryview(b"")


def _fill(handle: int, view: memoryview, start: int, path: Path) -> None:
    done = 0
    while done < len(view):
        got = os.preadv(handle, [view[done:]], start + done)
        if got == 0:
            raise CacheBroken(f"{path} became shorter while it was read.", AGAIN)
        done += got
