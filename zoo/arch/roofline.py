"""The roofline: how fast a step can be at best, from the bytes it must move and the FLOPs it must do.

Williams, Waterman, Patterson, CACM 52(4), 2009: time ≥ max(bytes / bandwidth, FLOPs / peak). Caches, launches
and everything else that takes time are left out, so nothing real reaches it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.arch.dims import Dense, Hybrid
from zoo.arch.parameters import Dtype, flops_per_token, kv_bytes_per_token, prefill_flops, state_bytes
from zoo.arch.weight_bytes import WeightBytes, bytes_in
from zoo.errors import InvalidOption

Bound = Literal["bandwidth", "compute"]

MARGIN = 1.1
"""By how much a time may stay below its roofline and still be believed.

Data sheets round bandwidth (an H100 PCIe's 2,039 GB/s is printed as 2 TB/s), and state peaks at a clock that boards exceed: an
H100 SXM's 989 TFLOP/s stand at 1,830 MHz, and its clock goes to 1,980, 8 % more. GeForce boards go further, but no forward
pass reaches nine tenths of a peak. What is a tenth faster than the sheet allows is neither rounding nor boost.
"""
CACHED_BYTES = 256_000_000
"""Bytes that a step may find in a cache where the one before left them, so that bandwidth does not bound them.

About twice the largest second-level cache of the GPUs in gpus.yaml: of a small model nothing is left that bandwidth bounds.
"""


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
    dims: Dense | Hybrid,
    batch: int,
    context: int,
    weights: WeightBytes | Dtype = "bfloat16",
    kv_dtype: Dtype = "bfloat16",
) -> Work:
    """One decode step of `batch` sequences, each with `context` tokens in its cache; weights as they are held, or in a dtype.

    Raises StorageUnknown where the weights' parts are not known.
    """
    read = decode_bytes(dims, batch, context, weights, kv_dtype)
    return Work(read, batch * flops_per_token(dims, context))


def decode_bytes(
    dims: Dense | Hybrid,
    batch: int = 1,
    context: int = 0,
    weights: WeightBytes | Dtype = "bfloat16",
    kv_dtype: Dtype = "bfloat16",
) -> int:
    """Bytes read from memory by one decode step: every weight once, and each sequence's cache and state.

    Of the embedding table only one row a sequence is read, unless it also serves as the output head.
    """
    cache = batch * (context * kv_bytes_per_token(dims, kv_dtype) + state_bytes(dims, kv_dtype))
    return _held(dims, weights).read(dims, batch) + cache


def prefill_work(
    dims: Dense | Hybrid,
    batch: int,
    tokens: int,
    weights: WeightBytes | Dtype = "bfloat16",
    kv_dtype: Dtype = "bfloat16",
) -> Work:
    """The prefill of `batch` prompts of `tokens` each, the output head at the last position only.

    Bytes: every weight once (of the embedding table the rows looked up) and the cache written once.
    """
    read = _held(dims, weights).read(dims, batch * tokens)
    cache = batch * (tokens * kv_bytes_per_token(dims, kv_dtype) + state_bytes(dims, kv_dtype))
    unused_head = 2 * dims.vocab_size * dims.hidden_size * (tokens - 1)
    return Work(read + cache, batch * (prefill_flops(dims, tokens) - unused_head))


def mean_context(input_tokens: int, output_tokens: int) -> int:
    """Tokens in the cache at a decode step, the mean over the steps of a request, rounded down.

    The first token comes of the prefill; step k = 1 … output−1 finds input + k − 1 tokens.
    """
    return input_tokens + max(0, output_tokens - 2) // 2


def memory_bytes(
    dims: Dense | Hybrid,
    batch: int,
    length: int,
    weights: WeightBytes | Dtype = "bfloat16",
    kv_dtype: Dtype = "bfloat16",
) -> int:
    """Bytes of the weights and of the caches of `batch` sequences of `length` tokens; activations are left out."""
    return _held(dims, weights).total + batch * _sequence_bytes(dims, length, kv_dtype)


def largest_batch(
    dims: Dense | Hybrid,
    memory: int,
    context: int,
    weights: WeightBytes | Dtype = "bfloat16",
    kv_dtype: Dtype = "bfloat16",
) -> int:
    """Sequences of `context` tokens whose cache fits into `memory` bytes beside the weights (activations left out).

    0 where not even one fits.
    """
    if context < 1:
        raise InvalidOption(f"A context of {context} tokens has no batch.", "Give at least 1.")
    return max(0, (memory - _held(dims, weights).total) // _sequence_bytes(dims, context, kv_dtype))


def least_time(work: Work, bytes_per_s: float, flops_per_s: float | None) -> LeastTime:
    """The work's time on the roofline; with an unknown peak the bandwidth alone bounds it."""
    moving = work.bytes / bytes_per_s
    computing = work.flops / flops_per_s if flops_per_s else 0.0
    return LeastTime(moving, "bandwidth") if moving >= computing else LeastTime(computing, "compute")


def least_believable(
    work: Work, bytes_per_s: float, flops_per_s: float | None, margin: float = MARGIN, cached: int = CACHED_BYTES
) -> float:
    """Seconds below which no measurement of that work is believed: its roofline, without `cached` bytes, less the margin."""
    moved = Work(max(0, work.bytes - cached), work.flops)
    return least_time(moved, bytes_per_s, flops_per_s).seconds / margin


def _sequence_bytes(dims: Dense | Hybrid, length: int, kv_dtype: Dtype) -> int:
    return length * kv_bytes_per_token(dims, kv_dtype) + state_bytes(dims, kv_dtype)


def _held(dims: Dense | Hybrid, weights: WeightBytes | Dtype) -> WeightBytes:
    return bytes_in(dims, weights) if isinstance(weights, str) else weights
