"""What a conformance outcome holds for: the backend, its engine's versions, the device's kind, the dtype, the model's class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backends.contract import Backend
from zoo.checkpoint.locate import ModelFolder

COMPUTING = {
    "hf": ("torch", "transformers"),
    "pruned": ("torch", "transformers"),
    "vllm": ("vllm",),
    "trtllm": ("tensorrt_llm",),
}
"""Backend → the entries of its `versions` that compute. Of another backend every entry that reads like a version counts."""
VERSION = re.compile(r"v?\d+(?:\.\w+)+[\w.+!-]*")


@dataclass(frozen=True, slots=True)
class Key:
    """What an outcome holds for."""

    backend: str
    engine: str
    """The versions that compute, as `name version`, in order of name."""
    device: str
    """`cpu`, or what the GPU is called."""
    dtype: str
    architecture: str
    """The class that config.json names."""


def key_of(backend: Backend, checkpoint: ModelFolder) -> Key:
    """The key of an open backend over a checkpoint."""
    kind = _device_kind(backend)
    engine = _engine(backend.name, backend.versions, kind)
    return Key(backend.name, engine, kind, backend.dtype, architecture_of(checkpoint.config))


def architecture_of(config: Mapping[str, Any]) -> str:
    """The class that config.json names first, else its model_type."""
    named = config.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else str(config.get("model_type"))


def _engine(name: str, versions: Mapping[str, str], device: str) -> str:
    computing = [one for one in COMPUTING.get(name, ()) if one in versions]
    chosen = computing or [one for one, text in versions.items() if VERSION.fullmatch(text)]
    return ", ".join(f"{one} {_release(versions[one], device)}" for one in sorted(chosen))


def _release(version: str, device: str) -> str:
    """Without the build (`+cu130`) on a CPU, where a build for a GPU runs the same code."""
    return version.partition("+")[0] if device == "cpu" else version


def _device_kind(backend: Backend) -> str:
    """What the GPU is called where torch sees it, else the backend's own word."""
    word, _, index = backend.device.partition(":")
    if word != "cuda":
        return word
    import torch

    if not torch.cuda.is_available() or int(index or 0) >= torch.cuda.device_count():
        return word
    return torch.cuda.get_device_name(int(index or 0))
