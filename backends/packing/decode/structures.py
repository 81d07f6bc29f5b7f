"""The C structures that step.cpp reads, filled from tensors. Whoever makes one keeps the tensors alive."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch

from backends.packing.decode.weights import DecoderWeights
from backends.packing.forward_pass import Layer as Cache

_P, _I, _F = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
TENSORS = (
    "q", "k", "v", "o", "gate", "up", "down", "q_bias", "k_bias", "v_bias",
    "before_attention", "before_mlp", "q_norm", "k_norm",
)  # fmt: skip
EPS = ("scale", "attention_eps", "mlp_eps", "head_eps")


class Layer(ctypes.Structure):
    """One layer and its cache."""

    _fields_ = (
        *((name, _P) for name in (*TENSORS, "keys", "values")),
        *((name, _I) for name in ("heads", "kv_heads", "ffn", "window")),
        *((name, _F) for name in EPS),
    )  # fmt: skip


class Decoder(ctypes.Structure):
    """All layers and what is before and behind them."""

    _fields_ = (
        ("layers", ctypes.POINTER(Layer)),
        *((name, _P) for name in ("embedding", "norm", "cosines", "sines")),
        *((name, _I) for name in ("count", "width", "head_dim", "length", "bf16", "embedding_bf16")),
        ("eps", _F),
    )  # fmt: skip


class Room(ctypes.Structure):
    """Buffers of a step."""

    _fields_ = (
        *((name, _P) for name in ("hidden", "normed", "qkv", "heads", "gated", "scores")),
        *((name, _I) for name in ("scores_each", "qkv_width", "heads_width", "ffn_width")),
    )  # fmt: skip


def addressed(weights: DecoderWeights) -> tuple[list[Layer], Decoder]:
    """Every layer's structure without a cache, and the decoder's without layers.

    Made once, and not while a trial takes bf16 as fp32: it would tell addresses of copies.
    """
    layers = [
        Layer(
            heads=layer.heads,
            kv_heads=layer.kv_heads,
            ffn=layer.gate.shape[0],
            **{name: getattr(layer, name) for name in EPS},
            **{name: _address(getattr(layer, name)) for name in TENSORS},
        )
        for layer in weights.layers
    ]
    decoder = Decoder(
        embedding=_address(weights.embedding),
        norm=_address(weights.norm),
        count=len(layers),
        width=weights.norm.shape[0],
        head_dim=weights.layers[0].head_dim,
        bf16=weights.bf16,
        embedding_bf16=weights.embedding_bf16,
        eps=weights.eps,
    )
    return layers, decoder


def over_cache(
    made: tuple[list[Layer], Decoder], caches: Sequence[Cache], windows: Sequence[int], rotations: Cache
) -> Decoder:
    """A copy of the structures over the slots of a cache."""
    layers, decoder = made
    array = (Layer * len(layers))(*layers)  # copies
    for layer, (keys, values), window in zip(array, caches, windows, strict=True):
        layer.keys, layer.values, layer.window = keys.data_ptr(), values.data_ptr(), window
    copied = Decoder.from_buffer_copy(decoder)
    copied.layers = ctypes.cast(array, ctypes.POINTER(Layer))
    copied.cosines, copied.sines = (part.data_ptr() for part in rotations)
    copied.length = caches[0][0].shape[2]
    return copied


def _address(tensor: torch.Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
