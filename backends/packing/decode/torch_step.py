"""The step in torch's own calls, over a cache that stays where it is: what a GPU compiles and captures in graphs.

Nothing is asked of the device in it. Attention reads a span of the cache that the caller names, under a mask made of the
positions, so that one graph serves all steps of that span; a layer is a call of its own, so layers of unlike widths are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from backends.packing.decode.weights import DecoderWeights
from backends.packing.forward_pass import Layer

LayerCall = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Places:
    """Where the newest tokens of the active sequences stand, and what each sees."""

    slots: torch.Tensor
    positions: torch.Tensor
    masks: dict[int, torch.Tensor]
    """Window → bool `[rows, 1, 1, span]`; 0 is the window of those that see all."""
    cos: torch.Tensor
    sin: torch.Tensor
    """`[rows, 1, head dim / 2]`, fp32."""


class TorchStep:
    """A step over one cache. `paired`: keys stand as the CPU layers rotate them, pairs side by side, else in halves."""

    def __init__(
        self, weights: DecoderWeights, cache: Sequence[Layer], paired: bool, call: LayerCall | None = None
    ) -> None:
        self._weights, self._cache, self._paired = weights, cache, paired
        self._call: LayerCall = call or layer_step
        self._windows = weights.windows()
        self._cos, self._sin = weights.rotations(cache[0][0].shape[2])
        self._slots = torch.arange(cache[0][0].shape[0], device=self._cos.device)
        self._keys = torch.arange(cache[0][0].shape[2], device=self._cos.device)

    def __call__(self, tokens: torch.Tensor, positions: torch.Tensor, span: int) -> torch.Tensor:
        """Hidden states behind the final norm, `[rows, width]`; every position is below `span`."""
        rows, weights = len(tokens), self._weights
        seen = positions[:, None] - self._keys[:span]
        masks = {
            window: ((seen >= 0) & (seen < window) if window else seen >= 0)[:, None, None]
            for window in set(self._windows)
        }
        at = Places(self._slots[:rows], positions, masks, self._cos[positions][:, None], self._sin[positions][:, None])
        hidden = weights.embedding[tokens].to(self._cache[0][0].dtype)
        for layer, (keys, values), window in zip(weights.layers, self._cache, self._windows, strict=True):
            hidden = self._call(
                hidden, *layer.tensors, keys, values, at.slots, positions, at.masks[window], at.cos, at.sin, span,
                layer.head_dim, layer.scale, (layer.attention_eps, layer.mlp_eps, layer.head_eps), self._paired,
            )  # fmt: skip
        return normed(hidden, weights.norm, weights.eps)


def layer_step(
    hidden: torch.Tensor, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, o: torch.Tensor, gate: torch.Tensor,
    up: torch.Tensor, down: torch.Tensor, q_bias: torch.Tensor | None, k_bias: torch.Tensor | None,
    v_bias: torch.Tensor | None, before_attention: torch.Tensor, before_mlp: torch.Tensor, q_norm: torch.Tensor | None,
    k_norm: torch.Tensor | None, keys: torch.Tensor, values: torch.Tensor, slots: torch.Tensor, positions: torch.Tensor,
    mask: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, span: int, head_dim: int, scale: float,
    eps: tuple[float, float, float], paired: bool,
) -> torch.Tensor:  # fmt: skip
    """One layer of a step: hidden states `[rows, width]` in and out; keys and values go into the cache at `positions`."""
    rows = hidden.shape[0]
    x = normed(hidden, before_attention, eps[0])
    query, key, value = (
        _product(x, weight, bias).view(rows, -1, head_dim) for weight, bias in ((q, q_bias), (k, k_bias), (v, v_bias))
    )
    if q_norm is not None and k_norm is not None:
        query, key = normed(query, q_norm, eps[2]), normed(key, k_norm, eps[2])
    query, key = rotated(query, cos, sin, paired), rotated(key, cos, sin, paired)
    keys[slots, :, positions] = key
    values[slots, :, positions] = value
    groups = query.shape[1] // key.shape[1]
    folded = query.view(rows, -1, groups, head_dim)
    seen_keys, seen_values = keys[:rows, :, :span], values[:rows, :, :span]
    out = F.scaled_dot_product_attention(folded, seen_keys, seen_values, attn_mask=mask, scale=scale)
    hidden = hidden + _product(out.reshape(rows, -1), o)
    x = normed(hidden, before_mlp, eps[1])
    return hidden + _product(F.silu(_product(x, gate)) * _product(x, up), down)


def normed(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """RMSNorm as transformers rounds it: in fp32, brought to the activations' dtype before it is multiplied."""
    wide = x.float()
    scaled = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return (scaled.to(x.dtype) * weight).to(x.dtype)


def rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, paired: bool) -> torch.Tensor:
    """Rotary embedding of `[rows, heads, head dim]`."""
    a, b = x.float().chunk(2, -1)
    parts = a * cos - b * sin, a * sin + b * cos
    return (torch.stack(parts, -1).flatten(-2) if paired else torch.cat(parts, -1)).to(x.dtype)


def fuse(weights: DecoderWeights) -> None:
    """Lay q, k and v of each layer, and gate and up, side by side in memory: the compiler makes one product of each.

    The model's parameters become views of it, so nothing is held twice; while a layer is moved, its own bytes are.
    """
    for layer in weights.layers:
        for parts in ((layer.q, layer.k, layer.v), (layer.gate, layer.up)):
            together = torch.cat([part.data for part in parts])
            for part, rows in zip(parts, together.split([len(part) for part in parts]), strict=True):
                part.data = rows


def _product(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    return F.linear(x, weight.to(x.dtype), None if bias is None else bias.to(x.dtype))
