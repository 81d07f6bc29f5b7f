"""safetensors files written one tensor at a time, each brought to the host only for its turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.checkpoint.safetensors import header_bytes, nbytes
from zoo.files import atomic_file

NAMES = {
    torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.float64: "F64",
    torch.uint8: "U8", torch.int8: "I8", torch.int32: "I32", torch.int64: "I64", torch.bool: "BOOL",
}  # fmt: skip
Shape = tuple[int, ...]


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write these tensors, wider dtypes first so that each begins at a multiple of its width; atomic and fsynced."""
    ordered = sorted(tensors.items(), key=lambda item: -item[1].element_size())
    shapes = {name: (NAMES[tensor.dtype], tuple(tensor.shape)) for name, tensor in ordered}
    write_stream(path, shapes, (tensor for _, tensor in ordered))


def write_stream(path: Path, shapes: Mapping[str, tuple[str, Shape]], tensors: Iterator[Tensor]) -> None:
    """Write the tensors as they come, in the order of `shapes` (name → dtype of safetensors and shape)."""
    with atomic_file(path) as file:
        file.write(header_bytes(dict(shapes)))
        for tensor in tensors:
            file.write(_bits(tensor))


def bytes_of(tensors: Mapping[str, Tensor]) -> int:
    """Bytes that these tensors take in a file."""
    return sum(nbytes(NAMES[tensor.dtype], tuple(tensor.shape)) for tensor in tensors.values())


def _bits(tensor: Tensor) -> Any:
    flat = tensor.detach().to("cpu").contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else b""
