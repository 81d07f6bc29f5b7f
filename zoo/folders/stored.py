"""How the weights of a folder are held: their bytes and dtypes by the headers of its files, never by an assumption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.arch.held import Held, config_dtype, held_in, known_dtype, kv_dtype_of, products_of
from zoo.arch.hf_config import read_config
from zoo.arch.parameters import Dtype
from zoo.arch.runnable import Quantised, stated_quantisation
from zoo.arch.weight_bytes import WeightBytes
from zoo.checkpoint.folder_check import NO_PARAMETERS
from zoo.checkpoint.head import EMBEDDING, with_stored_head
from zoo.checkpoint.model_ref import ModelRef
from zoo.checkpoint.plan_folder import virtual_parent
from zoo.checkpoint.safetensors import StoredTensor, stored_tensors
from zoo.checkpoint.weight_files import weight_files
from zoo.errors import StorageUnknown, WeightsMissing
from zoo.registry.stored import held_entry

NAMES: dict[str, Dtype] = {
    "F32": "float32", "BF16": "bfloat16", "F16": "float16", "F8_E4M3": "float8", "F8_E5M2": "float8", "I8": "int8",
}  # fmt: skip
"""safetensors dtype → ours. Others (packed integers, scales) are named as the file names them."""
FP8_METHODS = ("fp8", "mxfp8", "fbgemm_fp8")


@dataclass(frozen=True)
class Stored:
    """What the headers of a folder's weights say: bytes, and by dtype the bytes that are stored in it, the most first."""

    weights: WeightBytes
    by_dtype: tuple[tuple[str, int], ...]
    parameters: int | None
    """Numbers in all tensors, a tied table once; None where some are packed."""

    @property
    def dtypes(self) -> str:
        """In words: `bfloat16`, or `float8 (60 % of the bytes) and bfloat16`."""
        if len(self.by_dtype) == 1:
            return self.by_dtype[0][0]
        total = sum(size for _, size in self.by_dtype) or 1
        return " and ".join(f"{name} ({100 * size / total:.3g} %)" for name, size in self.by_dtype)


def stored_in(folder: Path, config: Mapping[str, Any]) -> Stored:
    """The stored weights, without a second copy of a tied table. Raises what `weight_files` and `stored_tensors` raise."""
    _, tensors = with_stored_head(config, stored_tensors(weight_files(folder).read))
    counted = {name: tensor for name, tensor in tensors.items() if not name.endswith(NO_PARAMETERS)}
    sizes: dict[str, int] = {}
    for tensor in counted.values():
        dtype = NAMES.get(tensor.dtype, tensor.dtype)
        sizes[dtype] = sizes.get(dtype, 0) + tensor.size
    table = counted.get(EMBEDDING)
    weights = WeightBytes(sum(sizes.values()), table.size if table else None)
    by_dtype = tuple(sorted(sizes.items(), key=lambda item: (-item[1], item[0])))
    return Stored(weights, by_dtype, None if stated_quantisation(config) else _numbers(counted))


def held_of(ref: ModelRef, dtype: str = "auto") -> Held:
    """How the weights of a model are held: as its entry or its folder's files store them (`auto`), or all in `dtype`.

    A folder without weights is taken in the dtype that its config.json names, else in bfloat16. Raises UnsupportedDtype for a
    word that is no dtype, StorageUnknown for quantised weights that are not there, and what `dims` and `stored_in` raise.
    """
    if ref.entry is not None:
        return held_entry(ref.entry, ref.shown, dtype)
    dims, folder = ref.dims, ref.folder or Path()
    config = read_config(folder)
    quantised = stated_quantisation(config)
    if dtype != "auto":
        return held_in(dims, known_dtype(dtype), _told(quantised) if quantised else None)
    plain = held_in(dims, config_dtype(config) or "bfloat16")
    if virtual_parent(folder) is not None:
        return plain
    try:
        stored = stored_in(folder, config)
    except WeightsMissing:
        if quantised is None:
            return plain
        raise StorageUnknown(
            f"{ref.shown} is quantised ({_told(quantised)}), and its weights are not here to be counted.",
            "Bring them, or give `--dtype bfloat16` to count them widened to 16 bits.",
        ) from None
    if quantised is not None:
        told = f"as stored: {_told(quantised)}, {stored.dtypes}"
        return Held(stored.weights, _products(quantised), _kv_dtype(quantised), told)
    most = next((name for name, _ in stored.by_dtype if name in NAMES.values()), "bfloat16")
    return Held(stored.weights, products_of(known_dtype(most)), kv_dtype_of(known_dtype(most)), stored.dtypes)


def _numbers(tensors: Mapping[str, StoredTensor]) -> int | None:
    total = 0
    for tensor in tensors.values():
        if tensor.dtype not in NAMES:
            return None
        count = 1
        for length in tensor.shape:
            count *= length
        total += count
    return total


def _told(quantised: Quantised) -> str:
    return quantised.method or "method unnamed"


def _products(quantised: Quantised) -> tuple[Dtype, ...]:
    """In what matrix products are computed: in 8 bits where activations are quantised too, else in bf16."""
    if quantised.method in FP8_METHODS:
        return products_of("float8")
    kinds = {_activations(group) for group in _groups(quantised)}
    if kinds == {("float", 8)}:
        return products_of("float8")
    return products_of("int8") if kinds == {("int", 8)} else products_of("bfloat16")


def _groups(quantised: Quantised) -> list[Mapping[str, Any]]:
    """The groups of a compressed-tensors configuration."""
    groups = quantised.settings.get("config_groups")
    return [group for group in groups.values() if isinstance(group, Mapping)] if isinstance(groups, Mapping) else []


def _activations(group: Mapping[str, Any]) -> tuple[Any, Any]:
    said = group.get("input_activations")
    return (said.get("type"), said.get("num_bits")) if isinstance(said, Mapping) else (None, None)


def _kv_dtype(quantised: Quantised) -> Dtype:
    """The cache's dtype: 16 bits unless the configuration has a scheme for it."""
    said = quantised.settings.get("kv_cache_scheme")
    if isinstance(said, Mapping) and said.get("num_bits") not in (None, 8):
        return "bfloat16"
    return "float8" if said else "bfloat16"
