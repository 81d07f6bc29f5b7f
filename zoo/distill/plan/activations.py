"""Bytes that a layer keeps between its forward and its backward pass, and what it takes on the way. Exact where tested.

Counted tensor by tensor as transformers' Llama, Mistral, Nemotron, Qwen2 and Qwen3 leave them to autograd; a test compares.
Norms of heads (Qwen3) come to it. For one token, with H hidden channels, A = heads × head_dim and F FFN channels::

    norm ──▶ q k v ──rotary──▶ attention ──▶ o_proj ──▶ + ──▶ norm ──▶ gate up ──▶ act(gate) · up ──▶ down ──▶ +
     2H +        3 A (k and v              A                   2H +     F + F         F         F
     H in fp32   repeated for GQA)                             H in fp32
"""

from __future__ import annotations

from zoo.arch.dims import Dense
from zoo.arch.parameters import GATED

STATISTIC = 4
"""Bytes of a number that a norm or the softmax keeps a row: fp32."""


def kept_by_layer(dims: Dense, rows: int, length: int, width: int) -> int:
    """Bytes that one layer keeps of `rows` packed rows, in numbers of `width` bytes.

    The mask that keeps documents apart is among them: attention turns it into numbers anew in every layer.
    """
    tokens = rows * length
    queries = dims.num_attention_heads * dims.head_dim
    attention = (5 if dims.norm == "layernorm1p" else 4) * queries * width + dims.num_attention_heads * STATISTIC
    mlp = (4 if dims.activation in GATED else 2) * dims.ffn_hidden_size * width
    mask = length * width
    return tokens * (dims.norms_per_layer * _norm(dims, width) + _head_norms(dims, width) + attention + mlp + mask)


def kept_besides(dims: Dense, rows: int, length: int, width: int) -> int:
    """Bytes kept of ids, of rotary angles and by the final norm, whose output the loss takes."""
    angles = 2 * int(dims.head_dim * dims.rope.fraction) * width
    return rows * length * (8 + angles + _norm(dims, width) - dims.hidden_size * width)


def kept_by_checkpoint(dims: Dense, rows: int, length: int, width: int) -> int:
    """Bytes that one layer keeps where it is computed again in the backward pass: what goes into it."""
    return rows * length * dims.hidden_size * width


def passing(dims: Dense, rows: int, length: int, width: int) -> int:
    """Bytes of a layer's largest stage while nothing is kept: states, what MLP or attention makes of them, the mask."""
    queries, keys = dims.num_attention_heads * dims.head_dim, dims.num_kv_heads * dims.head_dim
    attention = 4 * queries + 2 * keys + length
    mlp = (3 if dims.activation in GATED else 2) * dims.ffn_hidden_size
    return rows * length * (3 * dims.hidden_size + max(attention, mlp)) * width


def _head_norms(dims: Dense, width: int) -> int:
    """Norms of queries and keys keep what goes in, in fp32, and the normed numbers; nothing keeps what comes out."""
    if not dims.qk_norm:
        return 0
    heads = dims.num_attention_heads + dims.num_kv_heads
    return heads * (dims.head_dim * (4 + width) + STATISTIC)


def _norm(dims: Dense, width: int) -> int:
    """RMSNorm keeps its input in fp32, the normed input and its output; LayerNorm its input and its output."""
    if dims.norm == "layernorm1p":
        return 2 * dims.hidden_size * width + 2 * width
    return dims.hidden_size * (4 + 2 * width) + STATISTIC
