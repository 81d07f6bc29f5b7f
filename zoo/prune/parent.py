"""The checkpoint that is cut: its dimensions, its tensors by name, its digest. The classes of `FAMILIES`."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zoo.arch.dims import LATER, Dense
from zoo.arch.hf_config import dims_of, read_config
from zoo.arch.windows import check_kinds
from zoo.checkpoint.head import missing_head_hint, with_stored_head
from zoo.checkpoint.precision import check_float, check_not_packed, check_unquantised
from zoo.checkpoint.safetensors import StoredTensor, stored_tensors
from zoo.checkpoint.weight_files import weight_files
from zoo.errors import WeightsMismatch, WeightsMissing
from zoo.prune.plan import ParentIdentity

SAMPLE = 4096
"""Bytes of each tensor that the digest reads."""
Axis = Literal["vocab", "hidden", "heads", "kv", "head", "ffn"]

# name inside a layer → which axis its rows and its columns run along; a bias or a norm has rows alone
LAYER_AXES: dict[str, tuple[Axis, ...]] = {
    "self_attn.q_proj": ("heads", "hidden"),
    "self_attn.k_proj": ("kv", "hidden"),
    "self_attn.v_proj": ("kv", "hidden"),
    "self_attn.q_norm": ("head",),
    "self_attn.k_norm": ("head",),
    "self_attn.o_proj": ("hidden", "heads"),
    "mlp.gate_proj": ("ffn", "hidden"),
    "mlp.up_proj": ("ffn", "hidden"),
    "mlp.down_proj": ("hidden", "ffn"),
    "input_layernorm": ("hidden",),
    "post_attention_layernorm": ("hidden",),
}


@dataclass(frozen=True)
class Parent:
    """An opened checkpoint; none of its weights are in memory."""

    name: str
    folder: Path
    config: Mapping[str, Any]
    dims: Dense
    tensors: Mapping[str, StoredTensor]

    @property
    def identity(self) -> ParentIdentity:
        """What a plan for this parent names. Reads samples of the weights, for the digest."""
        return ParentIdentity(name=self.name, digest=self.digest, dims=self.dims)

    @functools.cached_property
    def digest(self) -> str:
        """sha256 over the dimensions and each tensor's name, dtype, shape and three samples of its bytes (head, middle, tail;
        4 KiB in all). It tells two checkpoints apart without reading 24 GB; it is no proof against forgery.
        """
        # without what was not read when the first plans were made: their digests must still match. Biases and norms of heads
        # are told by the tensors' names.
        rope = self.dims.rope and self.dims.rope.model_copy(update={"scaling": None})
        dims = self.dims.model_copy(update={"rope": rope, "qkv_bias": False, **dict.fromkeys(LATER, False)})
        whole = hashlib.sha256(dims.model_dump_json(exclude={"max_context", "hf_class"}).encode())
        for name, tensor in sorted(self.tensors.items()):
            whole.update(f"\n{name} {tensor.dtype} {tensor.shape} ".encode())
            for sample in _samples(tensor):
                whole.update(sample)
        return whole.hexdigest()


def open_parent(folder: Path, name: str = "") -> Parent:
    """Open a folder in Hugging Face form; `config` and `dims` have the head that the weights have.

    Raises UnsupportedArchitecture and InvalidConfig for a config.json of another model class, UnsupportedDtype for weights
    that are quantised or no floats of 16 or 32 bits (each tensor may have its own), what `weight_files` and `stored_tensors`
    raise, WeightsMissing for an absent tensor, WeightsMismatch for one of another shape than config.json says.
    """
    stated = read_config(str(folder))
    dims_of(stated, folder)  # a model of another class is refused before its weights are looked at
    check_kinds(stated, folder)
    check_unquantised(stated, folder)
    config, found = with_stored_head(stated, stored_tensors(weight_files(folder).read))
    dims = dims_of(config, folder)
    expected = dict(expected_tensors(dims))
    for tensor_name in expected:
        if tensor_name in found:
            check_float(found[tensor_name])
    missing = [n for n in expected if n not in found]
    if missing:
        check_not_packed(missing[0], found)
        raise WeightsMissing(
            f"{folder} lacks {len(missing)} of the {len(expected)} tensors of its config.json, first {missing[0]}.",
            missing_head_hint(dims, missing),
        )
    for tensor_name, shape in expected.items():
        tensor = found[tensor_name]
        if tensor.shape != shape:
            raise WeightsMismatch(
                f"{tensor_name} in {tensor.file} has shape {tensor.shape}, its config.json calls for {shape}.",
                "Check config.json against the weights (head_dim above all).",
            )
    return Parent(name or folder.resolve().name, folder, config, dims, {n: found[n] for n in expected})


def expected_tensors(dims: Dense) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor of a model of these dimensions with its shape, in the order of the layers."""
    for name, axes in tensor_axes(dims):
        yield name, tuple(axis_size(dims, axis) for axis in axes)


def tensor_axes(dims: Dense) -> Iterator[tuple[str, tuple[Axis, ...]]]:
    """Every tensor of a model with the axes that its rows and columns run along."""
    absent, biased = _absent(dims), _biased(dims)
    yield "model.embed_tokens.weight", ("vocab", "hidden")
    for layer in range(dims.num_layers):
        for part, axes in LAYER_AXES.items():
            if part in absent:
                continue
            yield f"model.layers.{layer}.{part}.weight", axes
            if part in biased:
                yield f"model.layers.{layer}.{part}.bias", axes[:1]
    yield "model.norm.weight", ("hidden",)
    if dims.norm == "layernorm1p":
        yield "model.norm.bias", ("hidden",)
    if not dims.tied_embeddings:
        yield "lm_head.weight", ("vocab", "hidden")


def _absent(dims: Dense) -> set[str]:
    """Parts of LAYER_AXES that a layer does not have."""
    gate = {"mlp.gate_proj"} if dims.activation == "relu2" else set[str]()
    return gate if dims.qk_norm else gate | {"self_attn.q_norm", "self_attn.k_norm"}


def _biased(dims: Dense) -> set[str]:
    """Parts of LAYER_AXES that have a bias beside their weight."""
    named = {
        ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"): dims.qkv_bias,
        ("self_attn.o_proj",): dims.o_bias,
        ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"): dims.mlp_bias,
        ("input_layernorm", "post_attention_layernorm"): dims.norm == "layernorm1p",
    }
    return {part for parts, has in named.items() if has for part in parts}


def axis_size(dims: Dense, axis: Axis) -> int:
    """Length of an axis; heads, kv and head count channels, not heads."""
    return {
        "vocab": dims.vocab_size,
        "hidden": dims.hidden_size,
        "heads": dims.num_attention_heads * dims.head_dim,
        "kv": dims.num_kv_heads * dims.head_dim,
        "head": dims.head_dim,
        "ffn": dims.ffn_hidden_size,
    }[axis]


def _samples(tensor: StoredTensor) -> Iterator[bytes]:
    third = SAMPLE // 3
    with tensor.file.open("rb") as file:
        for offset in (0, tensor.size // 2, max(0, tensor.size - third)):
            file.seek(tensor.start + offset)
            yield file.read(min(third, tensor.size - offset))
