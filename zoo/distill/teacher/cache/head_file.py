"""The teacher's output layer beside its hidden states, so that no student needs the teacher's own files."""

from __future__ import annotations

from pathlib import Path

import torch

from zoo.distill.batch import Head
from zoo.distill.teacher.cache.manifest import Manifest
from zoo.distill.teacher.cache.tensor_file import TensorFile, write_tensors

NAME = "head.safetensors"


def write_head(folder: Path, head: Head, identity: str) -> None:
    """Write the head's weight and bias, unless they are there; its scale and cap stand in the manifest."""
    if (folder / NAME).exists():
        return
    parts = {"weight": [head.weight], **({} if head.bias is None else {"bias": [head.bias]})}
    write_tensors(folder / NAME, parts, identity)


def read_head(folder: Path, manifest: Manifest, identity: str, device: torch.device) -> Head:
    """The head as the teacher had it. Raises CacheBroken where its file is missing, broken or of another cache."""
    file = TensorFile(folder / NAME, identity)
    weight = file.read("weight").to(device)
    bias = file.read("bias").to(device) if "bias" in file.tensors else None
    return Head(weight, bias, manifest.scale, manifest.softcap)
