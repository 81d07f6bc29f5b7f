"""Decoder layers of Llama, Mistral, Qwen2 and Qwen3 on a CPU, with few passes over memory.

Between its matrix products transformers' own layer reads and writes the hidden states some thirty times, which on a CPU takes
a third of the time of a small model. Here residuals are added by the matrix products (addmm), other steps work in place, and
the last layer computes only the picked tokens after its attention. Weights in half precision are multiplied in fp32, so that
only the weights are rounded.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from backends.packing.forward_pass import Reach, running_pass

LAYERS = {"LlamaDecoderLayer", "MistralDecoderLayer", "Qwen2DecoderLayer", "Qwen3DecoderLayer"}
"""Layers that are computed here."""
BIASED = ("q_proj", "k_proj", "v_proj")
"""Matrices of attention that may have a bias."""


class CpuLayer(torch.nn.Module):
    """Replaces a decoder layer and shares its weights: fp32 `[rows, tokens, width]` in and out, changed in place."""

    def __init__(self, layer: Any, last: bool) -> None:
        super().__init__()
        self._last = last
        self.self_attn, self.mlp = layer.self_attn, layer.mlp
        self.before_attention, self.before_mlp = layer.input_layernorm, layer.post_attention_layernorm

    def forward(
        self, hidden_states: torch.Tensor, *, attention_mask: Reach, position_embeddings: Any, **_: Any
    ) -> torch.Tensor:
        """The layer's output; of the last layer, that of the picked tokens alone."""
        picked = running_pass().picked if self._last else None
        normed = _normed(hidden_states, self.before_attention)
        heads = self._attended(normed, position_embeddings, attention_mask, picked)
        if picked is not None:
            hidden_states = hidden_states[:, picked]
        flat = hidden_states.reshape(-1, hidden_states.shape[-1])
        flat.addmm_(heads.flatten(0, 1).flatten(1), self.self_attn.o_proj.weight.float().T)
        mlp: Any = self.mlp
        normed = _normed(flat, self.before_mlp)
        gated = F.silu(_product(normed, mlp.gate_proj), inplace=True).mul_(_product(normed, mlp.up_proj))
        return flat.addmm_(gated, mlp.down_proj.weight.float().T).view_as(hidden_states)

    def _attended(
        self, normed: torch.Tensor, position_embeddings: Any, reach: Reach, picked: torch.Tensor | None
    ) -> torch.Tensor:
        """Attention's output before its last product, `[rows, tokens (or picked), heads, head dim]`."""
        attention: Any = self.self_attn
        rotations = _rotations(*position_embeddings)
        k, v = (
            _by_head(_product(normed, projection), attention) for projection in (attention.k_proj, attention.v_proj)
        )
        k = _rotated(_head_normed(k, attention, "k_norm"), rotations)
        if picked is not None:
            normed, rotations = normed[:, picked], rotations[:, picked]
        q = _by_head(_product(normed, attention.q_proj), attention)
        q = _rotated(_head_normed(q, attention, "q_norm"), rotations)
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        return running_pass().attend(attention.layer_idx, q, k, v, attention.scaling, reach)


def _product(x: torch.Tensor, linear: Any) -> torch.Tensor:
    return F.linear(x, linear.weight.float(), None if linear.bias is None else linear.bias.float())


def _by_head(projected: torch.Tensor, attention: Any) -> torch.Tensor:
    return projected.unflatten(-1, (-1, attention.head_dim))


def _head_normed(heads: torch.Tensor, attention: Any, name: str) -> torch.Tensor:
    """Each head's query or key normed, in a class that does so (Qwen3); others as they are."""
    norm = getattr(attention, name, None)
    return heads if norm is None else _normed(heads, norm)


def cpu_layer(layer: Any, last: bool) -> CpuLayer | None:
    """The layer as a CpuLayer; None where it has no such form (other families, biases, activations)."""
    if type(layer).__name__ not in LAYERS:
        return None
    linear: list[Any] = [part for part in layer.modules() if isinstance(part, torch.nn.Linear)]
    biased = {id(getattr(layer.self_attn, name)) for name in BIASED}
    fits = all(part.weight.is_cpu and (part.bias is None or id(part) in biased) for part in linear)
    return CpuLayer(layer, last) if fits and type(layer.mlp.act_fn).__name__.startswith("SiLU") else None


def _normed(hidden: torch.Tensor, norm: Any) -> torch.Tensor:
    """RMSNorm (Zhang and Sennrich 2019, arXiv 1910.07467, equation 4)."""
    mean_square = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True).square_().div_(hidden.shape[-1])
    return torch.mul(hidden, mean_square.add_(norm.variance_epsilon).rsqrt_()).mul_(norm.weight)


def _rotations(cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Each token's rotations as complex numbers `[rows, tokens, 1, head dim / 2]`; transformers gives each angle twice."""
    half = cos.shape[-1] // 2
    return torch.complex(cos[..., :half], sin[..., :half])[:, :, None]


def _rotated(x: torch.Tensor, rotations: torch.Tensor) -> torch.Tensor:
    """Rotary embedding (Su et al. 2021, arXiv 2104.09864, equation 34) as products of complex numbers, with transformers'
    halves for their parts. What comes out has the pairs side by side, queries like keys, which their products do not see.
    """
    return torch.view_as_real(torch.complex(*x.chunk(2, -1)).mul_(rotations)).flatten(-2)
