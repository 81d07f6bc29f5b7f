"""A step by the compiled library: on a CPU, of decoders whose weights are held in fp32 or bf16.

bf16 is widened as it is read and everything else is fp32: the numbers are those of the CPU layers, but for the order of sums,
and the same for a sequence alone and among others.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch

from backends.packing.decode import structures
from backends.packing.decode.weights import DecoderWeights, NotFollowed
from backends.packing.forward_pass import Layer

HELD = (torch.float32, torch.bfloat16)


class NativeMatrix:
    """A matrix `[out, in]` as it is held, to be multiplied with rows of fp32."""

    def __init__(self, library: ctypes.CDLL, weight: torch.Tensor) -> None:
        self._library, self._held = library, weight
        self._out, self._bf16, self._address = weight.shape[0], weight.dtype == torch.bfloat16, _at(weight)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """x · weightᵀ in fp32, for x `[rows, in]`."""
        x = x.float().contiguous()
        out = torch.empty(x.shape[0], self._out)
        self._library.minizoo_product(
            _at(x), _int(x.shape[0]), _int(x.shape[1]), self._address, _int(self._out), _int(self._bf16), _at(out),
            torch.get_num_threads(),
        )  # fmt: skip
        return out


class NativeDecoder:
    """The decoder of a model as the library reads it; makes a step for each cache."""

    def __init__(self, library: ctypes.CDLL, weights: DecoderWeights) -> None:
        self.library, self.weights = library, weights
        self._structures = structures.addressed(weights)

    def step(self, cache: Sequence[Layer]) -> NativeStep:
        """A step over this cache, which stays where it is."""
        rotations = self.weights.rotations(cache[0][0].shape[2])
        decoder = structures.over_cache(self._structures, cache, self.weights.windows(), rotations)
        return NativeStep(self, decoder, cache, rotations)


class NativeStep:
    """A step over one cache: `[slots, kv heads, length, head dim]`, keys as the CPU layers rotate them."""

    def __init__(self, of: NativeDecoder, decoder: Any, cache: Sequence[Layer], rotations: Layer) -> None:
        self._of, self._decoder, self._held = of, decoder, (cache, rotations)
        slots, _, self._length, _ = cache[0][0].shape
        self._threads, self._width = torch.get_num_threads(), of.weights.norm.shape[0]
        self._buffers, self._room = _room(of.weights, slots, self._length, self._threads)

    def __call__(self, tokens: Sequence[int], positions: Sequence[int]) -> torch.Tensor:
        """Hidden states behind the final norm that follow each slot's newest token, fp32 `[active, width]`."""
        rows = len(tokens)
        if max(positions) >= self._length:  # the library would write behind the cache
            raise ValueError(f"a token at position {max(positions)} has no place in a cache of {self._length}")
        out = torch.empty(rows, self._width)
        ids = ctypes.c_int64 * rows
        self._of.library.minizoo_step(
            ctypes.byref(self._decoder), ctypes.byref(self._room), _int(rows), ids(*tokens), ids(*positions), _at(out),
            self._threads,
        )  # fmt: skip
        return out


def check_native(weights: DecoderWeights, head: torch.Tensor) -> None:
    """Raise NotFollowed for weights that the library does not read."""
    held = {matrix for layer in weights.layers for matrix in layer.matrices} | {weights.embedding, head}
    if other := {matrix.dtype for matrix in held} - set(HELD):
        raise NotFollowed(f"its weights are held in {', '.join(sorted(str(x).removeprefix('torch.') for x in other))}")
    if not all(matrix.is_cpu and matrix.is_contiguous() for matrix in held):
        raise NotFollowed("its weights are not all in the host's memory, row by row")
    if weights.embedding.shape[0] < head.shape[0]:
        raise NotFollowed("its head has tokens that its embedding has not")
    if weights.rotations(1)[0].shape[1] * 2 != weights.layers[0].head_dim:
        raise NotFollowed("its rotary embedding turns a part of each head")
    if any(layer.head_dim % 2 for layer in weights.layers):
        raise NotFollowed("its heads have no halves")


def _room(weights: DecoderWeights, slots: int, length: int, threads: int) -> tuple[list[torch.Tensor], Any]:
    """Buffers of the widest layer, and their structure. Scores are a thread's own, with room for a last vector."""
    layers = weights.layers
    heads = max(layer.q.shape[0] for layer in layers)
    qkv = max(layer.q.shape[0] + 2 * layer.k.shape[0] for layer in layers)
    ffn = max(layer.gate.shape[0] for layer in layers)
    each = max(layer.heads // layer.kv_heads for layer in layers) * (length + 32)
    sizes = (weights.norm.shape[0], weights.norm.shape[0], qkv, heads, ffn)
    buffers = [torch.empty(slots, size) for size in sizes] + [torch.empty(threads, each)]
    return buffers, structures.Room(*(_at(buffer) for buffer in buffers), each, qkv, heads, ffn)


def _at(tensor: torch.Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


def _int(value: int) -> ctypes.c_int64:
    return ctypes.c_int64(value)
