"""The student as a folder that transformers loads: config.json and weights in the dtype that was computed in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.checkpoint.safetensors import in_shards, nbytes
from zoo.distill.train.saving.tensor_file import NAMES, bytes_of, write_stream
from zoo.distill.train.world import World
from zoo.errors import UnsupportedArchitecture

AsStored = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]
"""From the student's whole tensors to those of the model that is stored (adapters merged, say), by name."""
SHARD_BYTES = 5_000_000_000


def write_model(
    student: Any,
    folder: Path,
    dtype: torch.dtype,
    world: World,
    as_stored: AsStored | None = None,
    most: int = SHARD_BYTES,
) -> None:
    """Write config.json and the weights into the folder. Every rank calls it, the first one writes, errors are everybody's.

    A tied weight is written once. Shards over ranks are gathered for one file at a time (with `as_stored` for all of them).
    """
    world.first(lambda: _write_config(student, folder, dtype))
    weights = unique_weights(student)
    if as_stored is not None:
        whole = {name: _whole(tensor, dtype).cpu() for name, tensor in weights.items()}
        world.first(lambda: _write_all(as_stored(whole), folder, dtype, most))
        return
    for file, names in _files(weights, dtype, most):
        shapes = _shapes(weights, names, dtype)
        tensors = (_whole(weights[name], dtype) for name in names)
        if world.mode == "fsdp":  # all ranks give their shards, so they come before the first one writes
            tensors = iter([tensor.cpu() if world.is_first else torch.empty(0) for tensor in tensors])
        world.first(lambda f=file, s=shapes, t=tensors: write_stream(folder / f, s, t))
    world.first(lambda: _write_index(weights, folder, dtype, most))


def unique_weights(student: Any) -> dict[str, Tensor]:
    """Parameters and stored buffers by their names, a tied one under its first name."""
    seen: set[int] = set()
    found: dict[str, Tensor] = {}
    for name, tensor in student.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found[name] = tensor
    return found


def model_bytes(student: Any, dtype: torch.dtype) -> int:
    """Bytes of the weights that `write_model` writes, where none is merged."""
    return sum(nbytes(NAMES[_dtype(tensor, dtype)], tuple(tensor.shape)) for tensor in unique_weights(student).values())


def check_names(student: Any) -> None:
    """Raise UnsupportedArchitecture for a model whose weights are stored by other names, or cut otherwise, than it holds them.

    transformers turns such weights around as it loads them; this writer does not turn them back.
    """
    from transformers.core_model_loading import revert_weight_conversion

    held = {name: torch.empty_like(tensor, device="meta") for name, tensor in unique_weights(student).items()}
    if set(revert_weight_conversion(student, dict(held))) != set(held):
        raise UnsupportedArchitecture(
            f"The weights of {type(student).__name__} are stored in another form than it holds them in memory.",
            "Distillation writes dense models such as Llama, Mistral and Nemotron.",
        )


def _write_all(tensors: Mapping[str, Tensor], folder: Path, dtype: torch.dtype, most: int) -> None:
    for file, names in _files(tensors, dtype, most):
        write_stream(folder / file, _shapes(tensors, names, dtype), _cast(tensors, names, dtype))
    _write_index(tensors, folder, dtype, most)


def _cast(tensors: Mapping[str, Tensor], names: tuple[str, ...], dtype: torch.dtype) -> Iterator[Tensor]:
    return (tensors[name].to(_dtype(tensors[name], dtype)) for name in names)


def _write_config(student: Any, folder: Path, dtype: torch.dtype) -> None:
    student.config.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config["dtype"] = str(dtype).removeprefix("torch.")
    config["architectures"] = config.get("architectures") or [type(student).__name__]
    path.write_text(json.dumps(config, indent=2) + "\n", "utf-8")


def _write_index(tensors: Mapping[str, Tensor], folder: Path, dtype: torch.dtype, most: int) -> None:
    files = _files(tensors, dtype, most)
    if len(files) == 1:
        return
    total = bytes_of(
        {name: torch.empty(one.shape, dtype=_dtype(one, dtype), device="meta") for name, one in tensors.items()}
    )
    index = {"metadata": {"total_size": total}, "weight_map": {name: file for file, names in files for name in names}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", "utf-8")


def _files(tensors: Mapping[str, Tensor], dtype: torch.dtype, most: int) -> list[tuple[str, tuple[str, ...]]]:
    def name_of(name: str) -> str:
        return NAMES[_dtype(tensors[name], dtype)]

    return in_shards(tensors, most, size=lambda name: nbytes(name_of(name), tuple(tensors[name].shape)), dtype=name_of)


def _shapes(
    tensors: Mapping[str, Tensor], names: tuple[str, ...], dtype: torch.dtype
) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (NAMES[_dtype(tensors[name], dtype)], tuple(tensors[name].shape)) for name in names}


def _whole(tensor: Any, dtype: torch.dtype) -> Tensor:
    """A tensor in the stored dtype, gathered where it is in shards."""
    own = tensor.detach().to(_dtype(tensor, dtype))
    return own.full_tensor() if hasattr(own, "full_tensor") else own


def _dtype(tensor: Tensor, dtype: torch.dtype) -> torch.dtype:
    return dtype if tensor.dtype.is_floating_point else tensor.dtype
