"""What follows from a model's dimensions alone: parameters, KV cache, FLOPs. No weights, no torch.

How the widths hang together (Minitron-8B: 48 query heads, 8 KV heads, head_dim 128, hidden 4096)::

    hidden ──q_proj──▶ heads × head_dim      ┐  6 query heads share one KV head (GQA), so the cache holds
      4096               48 × 128 = 6144     ├─ 2 × 8 × 128 numbers a token and layer, whatever the query heads.
    hidden ──k,v_proj▶ kv_heads × head_dim   ┘  heads × head_dim need not equal hidden.
      4096                8 × 128 = 1024
    heads × head_dim ──o_proj──▶ hidden

Golden values: the published parameter counts, reproduced to the unit (tests/zoo/arch/test_architecture.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.arch.dims import Dense, Hybrid

Dtype = Literal["float32", "bfloat16", "float16", "float8", "int8", "int4"]
BITS: dict[Dtype, int] = {"float32": 32, "bfloat16": 16, "float16": 16, "float8": 8, "int8": 8, "int4": 4}
GATED = {"swiglu", "geglu"}


@dataclass(frozen=True)
class Parameters:
    """A model's parameter count and its parts. `head` is 0 where the output head shares the embedding table."""

    total: int
    embedding: int
    head: int
    per_layer: tuple[int, ...]
    final_norm: int

    @property
    def non_embedding(self) -> int:
        """Everything but the embedding table and the output head, as the papers count it."""
        return self.total - self.embedding - self.head


def count_parameters(dims: Dense | Hybrid) -> Parameters:
    """Parameters in closed form. Raises nothing: any valid dims have a count."""
    layers = tuple(layer.matrices + layer.vectors for layer in _layers(dims))
    embedding = dims.vocab_size * dims.hidden_size
    head = 0 if dims.tied_embeddings else embedding
    final_norm = _norm(dims)
    return Parameters(embedding + head + sum(layers) + final_norm, embedding, head, layers, final_norm)


def count_matrices(dims: Dense | Hybrid) -> int:
    """Parameters of the layers' matrices: neither tables nor norms, biases and other vectors."""
    return sum(layer.matrices for layer in _layers(dims))


def attention_layers(dims: Dense | Hybrid) -> int:
    """Layers that keep a KV cache."""
    return dims.num_layers if isinstance(dims, Dense) else dims.pattern.count("*")


def kv_bytes_per_token(dims: Dense | Hybrid, dtype: Dtype = "bfloat16") -> int:
    """Bytes that one more token adds to the KV cache: 2 (K and V) × attention layers × KV heads × head_dim."""
    return 2 * attention_layers(dims) * dims.num_kv_heads * dims.head_dim * BITS[dtype] // 8


def state_bytes(dims: Dense | Hybrid, dtype: Dtype = "bfloat16") -> int:
    """Bytes of recurrent state a sequence holds whatever its length: Mamba-2's SSM and convolution state."""
    if isinstance(dims, Dense):
        return 0
    inner = dims.mamba_num_heads * dims.mamba_head_dim
    convolved = inner + 2 * dims.mamba_groups * dims.mamba_state_dim
    per_layer = inner * dims.mamba_state_dim + convolved * dims.mamba_conv_kernel
    return dims.pattern.count("M") * per_layer * BITS[dtype] // 8


def flops_per_token(dims: Dense | Hybrid, context: int = 0) -> int:
    """Forward FLOPs of one new token that sees `context` earlier ones, output head included.

    A multiply-add counts 2. Counted: every matrix product and the attention over context + 1 positions
    (scores and mix: 4 × heads × head_dim each). Not counted: norms, softmax, activations, the embedding lookup.
    """
    attended = 4 * attention_layers(dims) * dims.num_attention_heads * dims.head_dim * (context + 1)
    return 2 * _matmul_weights(dims) + attended + _scan_flops(dims)


def prefill_flops(dims: Dense | Hybrid, tokens: int) -> int:
    """Forward FLOPs of a causal pass over `tokens` tokens with the output head at every position."""
    attended = 4 * attention_layers(dims) * dims.num_attention_heads * dims.head_dim * tokens * (tokens + 1) // 2
    return tokens * (2 * _matmul_weights(dims) + _scan_flops(dims)) + attended


@dataclass(frozen=True)
class _Layer:
    """A layer's parameters by what they do in a forward pass."""

    matrices: int
    vectors: int


def _layers(dims: Dense | Hybrid) -> tuple[_Layer, ...]:
    if isinstance(dims, Dense):
        vectors = dims.norms_per_layer * _norm(dims) + _biases(dims) + (2 * dims.head_dim if dims.qk_norm else 0)
        return (_Layer(_attention(dims) + _mlp(dims), vectors),) * dims.num_layers
    kinds = {
        "*": _Layer(_attention(dims), _norm(dims)),
        "-": _Layer(_mlp(dims), _norm(dims)),
        "M": _mamba(dims),
    }
    return tuple(kinds[letter] for letter in dims.pattern)


def _qkv_width(dims: Dense | Hybrid) -> int:
    return (dims.num_attention_heads + 2 * dims.num_kv_heads) * dims.head_dim


def _biases(dims: Dense) -> int:
    inner = (2 if dims.activation in GATED else 1) * dims.ffn_hidden_size
    return (
        (_qkv_width(dims) if dims.qkv_bias else 0)
        + (dims.hidden_size if dims.o_bias else 0)
        + (inner + dims.hidden_size if dims.mlp_bias else 0)
    )


def _attention(dims: Dense | Hybrid) -> int:
    return dims.hidden_size * (_qkv_width(dims) + dims.num_attention_heads * dims.head_dim)


def _mlp(dims: Dense | Hybrid) -> int:
    return (3 if dims.activation in GATED else 2) * dims.hidden_size * dims.ffn_hidden_size


def _mamba(dims: Hybrid) -> _Layer:
    """Mamba-2 mixer: in_proj to (z, x, B, C, dt), depthwise convolution with bias over (x, B, C), A, D, dt_bias,
    a gated norm, out_proj; and the layer's own norm."""
    inner = dims.mamba_num_heads * dims.mamba_head_dim
    shared = dims.mamba_groups * dims.mamba_state_dim
    convolved = inner + 2 * shared
    matrices = dims.hidden_size * (inner + convolved + dims.mamba_num_heads) + inner * dims.hidden_size
    vectors = convolved * (dims.mamba_conv_kernel + 1) + 3 * dims.mamba_num_heads + inner + _norm(dims)
    return _Layer(matrices, vectors)


def _norm(dims: Dense | Hybrid) -> int:
    """A LayerNorm (Nemotron's LN1P) has a weight and a bias, RMSNorm a weight."""
    return dims.hidden_size * (2 if dims.norm == "layernorm1p" else 1)


def _matmul_weights(dims: Dense | Hybrid) -> int:
    return count_matrices(dims) + dims.vocab_size * dims.hidden_size


def _scan_flops(dims: Dense | Hybrid) -> int:
    """Mamba-2's convolution and recurrence a token: state update (3 a state element) and read-out (2)."""
    if isinstance(dims, Dense):
        return 0
    inner = dims.mamba_num_heads * dims.mamba_head_dim
    convolved = inner + 2 * dims.mamba_groups * dims.mamba_state_dim
    return dims.pattern.count("M") * (5 * inner * dims.mamba_state_dim + 2 * convolved * dims.mamba_conv_kernel)
