"""Which weights can be cut and computed with as they are stored: floats of 16 and 32 bits, mixed or not. What runs at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.arch.hf_config import read_config
from zoo.arch.runnable import class_obstacle, quantisation_obstacle, stated_quantisation
from zoo.checkpoint.model_ref import ModelRef
from zoo.checkpoint.safetensors import StoredTensor
from zoo.checkpoint.tensor_rows import BITS
from zoo.errors import UnsupportedArchitecture, UnsupportedDtype
from zoo.registry.stored import quantization_of, stored_as

WIDE = ("F64", "C64")
"""Dtypes that are no quantisation and yet not read."""
TAKE_WHOLE = "Take the model that it was quantised from; a child can be quantised afterwards."


def check_unquantised(config: Mapping[str, Any], folder: Path) -> None:
    """Raise UnsupportedDtype where config.json says that the weights are quantised."""
    stated = stated_quantisation(config)
    if stated is not None:
        raise UnsupportedDtype(
            f"The weights of {folder} are quantised ({stated.method or 'method unnamed'}: {stated.key} in its config.json).",
            TAKE_WHOLE,
        )


def check_whole(ref: ModelRef) -> None:
    """As `check_unquantised`, of a model by what its registry entry or its folder's config.json says, before it is fetched."""
    if ref.entry is not None and quantization_of(ref.entry) is not None:
        raise UnsupportedDtype(f"The weights of {ref.entry.id} are quantised ({stored_as(ref.entry)}).", TAKE_WHOLE)
    if ref.entry is None and ref.folder is not None and (ref.folder / "config.json").is_file():
        check_unquantised(read_config(ref.folder), ref.folder)


def check_runnable(config: Mapping[str, Any], name: str, dtype: str = "auto") -> None:
    """Raise, before a weight is fetched, where transformers here cannot run a model with this config.json.

    `dtype` is the one asked for (`--dtype`). UnsupportedArchitecture for a class that transformers does not have or does not
    load as a causal language model, UnsupportedDtype for a quantisation that it does not read, or not on this machine.
    """
    obstacle = class_obstacle(config)
    if obstacle is not None:
        raise UnsupportedArchitecture(f"{name} {obstacle.why}.", obstacle.hint)
    stated = stated_quantisation(config)
    obstacle = None if stated is None else quantisation_obstacle(stated, dtype)
    if obstacle is not None:
        raise UnsupportedDtype(f"{name} {obstacle.why}.", obstacle.hint)


def check_float(tensor: StoredTensor) -> None:
    """Raise UnsupportedDtype for a weight that is none of the floats in BITS."""
    if tensor.dtype in BITS:
        return
    if tensor.dtype in WIDE:
        hint = f"minizoo reads {', '.join(BITS)}: save the model in one of them (`save_pretrained` after `.to(dtype)`)."
        raise UnsupportedDtype(f"{tensor.name} in {tensor.file} is {tensor.dtype}.", hint)
    raise UnsupportedDtype(
        f"{tensor.name} in {tensor.file} is {tensor.dtype}: these weights are quantised, and minizoo reads "
        f"{', '.join(BITS)}.",
        TAKE_WHOLE,
    )


def check_not_packed(missing: str, tensors: Mapping[str, StoredTensor]) -> None:
    """Raise UnsupportedDtype where a missing weight is there in a packed form (`q_proj.qweight` for `q_proj.weight`)."""
    stem = missing.removesuffix("weight")
    for name, tensor in tensors.items():
        if name.startswith(stem) and tensor.dtype not in (*BITS, *WIDE):
            check_float(tensor)
