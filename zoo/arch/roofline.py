"""The roofline: how fast a step can be at best, from the bytes it must move and the FLOPs it must do.

Williams, Waterman, Patterson, CACM 52(4), 2009: time ≥ max(bytes / bandwidth, FLOPs / peak). Caches, launches
and everything else that takes time are left out, so nothing real reaches it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.arch.dims import Dense, Hybrid
from zoo.arch.parameters import (
    BITS,
    Dtype,
    count_parameters,
    decode_bytes,
    flops_per_token,
    kv_bytes_per_token,
    prefill_flops,
    state_bytes,
    weight_bytes,
)

Bound = Literal["bandwidth", "compute"]


@dataclass(frozen=True)
class Work:
    """What a step must do at least: bytes moved between memory and processor, floating-point operations."""

    bytes: int
    flops: int


@dataclass(frozen=True)
class LeastTime:
    """The least time that work can take, in seconds, and what it is bound by."""

    seconds: float
    bound_by: Bound


def decode_work(
    dims: Dense | Hybrid, batch: int, context: int, dtype: Dtype = "bfloat16", kv_dtype: Dtype = "bfloat16"
) -> Work:
    """One decode step of `batch` sequences, each with `context` tokens in its cache."""
    read = decode_bytes(dims, batch, context, dtype, kv_dtype)
    return Work(read, batch * flops_per_token(dims, context))


def prefill_work(
    dims: Dense | Hybrid, batch: int, tokens: int, dtype: Dtype = "bfloat16", kv_dtype: Dtype = "bfloat16"
) -> Work:
    """The prefill of `batch` prompts of `tokens` each, the output head at the last position only.

    Bytes: every weight once (of the embedding table the rows looked up) and the cache written once.
    """
    count = count_parameters(dims)
    rows = min(batch * tokens, dims.vocab_size) * dims.hidden_size
    weights = count.total - (0 if dims.tied_embeddings else count.embedding - rows)
    cache = batch * (tokens * kv_bytes_per_token(dims, kv_dtype) + state_bytes(dims, kv_dtype))
    unused_head = 2 * dims.vocab_size * dims.hidden_size * (tokens - 1)
    return Work(weights * BITS[dtype] // 8 + cache, batch * (prefill_flops(dims, tokens) - unused_head))


def mean_context(input_tokens: int, output_tokens: int) -> int:
    """Tokens in the cache at a decode step, the mean over the steps of a request, rounded down.

    The first token comes of the prefill; step k = 1 … output−1 finds input + k − 1 tokens.
    """
    return input_tokens + max(0, output_tokens - 2) // 2


def memory_bytes(
    dims: Dense | Hybrid, batch: int, length: int, dtype: Dtype = "bfloat16", kv_dtype: Dtype = "bfloat16"
) -> int:
    """Bytes of the weights and of the caches of `batch` sequences of `length` tokens; activations are left out."""
    per_sequence = length * kv_bytes_per_token(dims, kv_dtype) + state_bytes(dims, kv_dtype)
    return weight_bytes(dims, dtype) + batch * per_sequence


def least_time(work: Work, bytes_per_s: float, flops_per_s: float | None) -> LeastTime:
    """The work's time on the roofline; with an unknown peak the bandwidth alone bounds it."""
    moving = work.bytes / bytes_per_s
    computing = work.flops / flops_per_s if flops_per_s else 0.0
    return LeastTime(moving, "bandwidth") if moving >= computing else LeastTime(computing, "compute")
