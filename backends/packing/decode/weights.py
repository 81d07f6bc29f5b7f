"""What a decode step multiplies: the tensors of a Llama-like decoder, named once, and the numbers beside them.

Nothing is copied but vectors (norms, biases): matrices are the model's own, which its scoring uses too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

Vector = torch.Tensor | None

WINDOWED = {"MistralModel": False, "Qwen2Model": True, "Qwen3Model": True}
"""Decoders whose layers may see a window alone, and whether a layer's kind says so; a Llama's never do."""
LAYERS = {"LlamaDecoderLayer", "MistralDecoderLayer", "Qwen2DecoderLayer", "Qwen3DecoderLayer", "CpuLayer"}
"""Layers of one form: norm, attention with rotary embedding, norm, SwiGLU."""
DECODERS = {"LlamaModel", *WINDOWED}
"""Decoders that are an embedding, layers, and a norm, and nothing else."""


class NotFollowed(Exception):
    """The model computes in a way that this step does not; the message says which, as the end of a sentence with `its`."""


@dataclass(frozen=True)
class LayerWeights:
    """One layer: matrices `[out, in]` as the model holds them, vectors in fp32, and its own widths."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    o: torch.Tensor
    gate: torch.Tensor
    up: torch.Tensor
    down: torch.Tensor
    q_bias: Vector
    k_bias: Vector
    v_bias: Vector
    before_attention: torch.Tensor
    before_mlp: torch.Tensor
    q_norm: Vector
    k_norm: Vector
    scale: float
    attention_eps: float
    mlp_eps: float
    head_eps: float
    head_dim: int

    @property
    def heads(self) -> int:
        """Query heads of this layer; pruned layers differ."""
        return self.q.shape[0] // self.head_dim

    @property
    def kv_heads(self) -> int:
        """Key heads of this layer."""
        return self.k.shape[0] // self.head_dim

    @property
    def shape(self) -> tuple[int, ...]:
        """What differs between layers of unlike width."""
        return self.q.shape[0], self.k.shape[0], self.gate.shape[0]

    @property
    def tensors(self) -> tuple[Vector, ...]:
        """Its tensors in the order of `torch_step.layer_step`."""
        return (
            *self.matrices, self.q_bias, self.k_bias, self.v_bias, self.before_attention, self.before_mlp, self.q_norm,
            self.k_norm,
        )  # fmt: skip

    @property
    def matrices(self) -> tuple[torch.Tensor, ...]:
        """What is read of it in a step."""
        return self.q, self.k, self.v, self.o, self.gate, self.up, self.down


@dataclass(frozen=True)
class DecoderWeights:
    """All layers, and what is before and behind them."""

    layers: tuple[LayerWeights, ...]
    embedding: torch.Tensor
    norm: torch.Tensor
    eps: float
    bf16: bool
    """Whether the layers are held in bf16."""
    embedding_bf16: bool
    decoder: Any
    """Asked for angles and windows when a step is made: both may change with the configuration."""

    def rotations(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines of the positions below `length`, fp32 `[length, head dim / 2]` each."""
        device = self.embedding.device
        places = torch.arange(length, device=device)[None]
        like = torch.empty(0, dtype=torch.float32, device=device)
        cos, sin = self.decoder.rotary_emb(like, position_ids=places)
        half = cos.shape[-1] // 2
        return cos[0, :, :half].contiguous(), sin[0, :, :half].contiguous()

    def windows(self) -> list[int]:
        """Tokens that each layer sees back, itself included; 0 for all."""
        config, kind = self.decoder.config, type(self.decoder).__name__
        window = (getattr(config, "sliding_window", None) or 0) if kind in WINDOWED else 0
        if not WINDOWED.get(kind):
            return [window] * len(self.layers)
        return [window if kind == "sliding_attention" else 0 for kind in config.layer_types[: len(self.layers)]]


def described(decoder: Any, layers: Any) -> DecoderWeights:
    """The weights of a decoder of transformers whose layers are transformers' own or CPU layers. Raises NotFollowed."""
    if type(decoder).__name__ not in DECODERS:
        raise NotFollowed(f"its decoder is a {type(decoder).__name__}")
    if other := {type(layer).__name__ for layer in layers} - LAYERS:
        raise NotFollowed(f"its layers are of kind {', '.join(sorted(other))}")
    if decoder.config.num_hidden_layers != len(layers):
        raise NotFollowed("it runs a part of its layers")
    found = tuple(_layer(layer) for layer in layers)
    embedding = decoder.get_input_embeddings()
    if type(embedding) is not torch.nn.Embedding:
        raise NotFollowed("its embedding is of another kind")
    weights = DecoderWeights(
        layers=found,
        embedding=embedding.weight,
        norm=_vector(decoder.norm.weight),
        eps=float(decoder.norm.variance_epsilon),
        bf16=found[0].q.dtype == torch.bfloat16,
        embedding_bf16=embedding.weight.dtype == torch.bfloat16,
        decoder=decoder,
    )
    if not all(matrix.is_contiguous() for layer in found for matrix in layer.matrices):
        raise NotFollowed("its weights are not contiguous")
    if len({matrix.dtype for layer in found for matrix in layer.matrices}) > 1:
        raise NotFollowed("its layers are held in several dtypes")
    return weights


def _layer(layer: Any) -> LayerWeights:
    attention, mlp = layer.self_attn, layer.mlp
    q_norm, k_norm = (getattr(attention, name, None) for name in ("q_norm", "k_norm"))
    parts = (attention.q_proj, attention.k_proj, attention.v_proj)
    rest = (attention.o_proj, mlp.gate_proj, mlp.up_proj, mlp.down_proj)
    if any(type(part) is not torch.nn.Linear for part in (*parts, *rest)):
        raise NotFollowed("its products are not plain linear layers")
    if not type(mlp.act_fn).__name__.startswith("SiLU"):
        raise NotFollowed("its activation is not SiLU")
    if any(part.bias is not None for part in rest):
        raise NotFollowed("its products have biases that this step does not add")
    norms = [getattr(layer, one, None) or getattr(layer, other) for one, other in NORMS]
    biases = [None if part.bias is None else _vector(part.bias) for part in parts]
    head_norms = [None if norm is None else _vector(norm.weight) for norm in (q_norm, k_norm)]
    return LayerWeights(
        **dict(zip(("q", "k", "v", "o", "gate", "up", "down"), (part.weight for part in (*parts, *rest)), strict=True)),
        **dict(zip(("q_bias", "k_bias", "v_bias"), biases, strict=True)),
        **dict(zip(("before_attention", "before_mlp"), (_vector(norm.weight) for norm in norms), strict=True)),
        **dict(zip(("q_norm", "k_norm"), head_norms, strict=True)),
        scale=float(attention.scaling),
        attention_eps=float(norms[0].variance_epsilon),
        mlp_eps=float(norms[1].variance_epsilon),
        head_eps=float(getattr(q_norm, "variance_epsilon", 0.0)),
        head_dim=int(attention.head_dim),
    )


NORMS = (("before_attention", "input_layernorm"), ("before_mlp", "post_attention_layernorm"))
"""What a CPU layer calls its norms, and what transformers does."""


def _vector(x: torch.Tensor) -> torch.Tensor:
    return x.detach().float().contiguous()
