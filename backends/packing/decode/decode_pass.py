"""One token of every active sequence through a model's own layers: attention over a cache of slots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from backends.packing.attention import fold_heads
from backends.packing.forward_pass import Layer, Reach


class DecodePass:
    """A `Pass` of one token of every active sequence."""

    picked = None
    trims = False

    def __init__(self, cache: Sequence[Layer], positions: torch.Tensor) -> None:
        self._cache, self._positions = cache, positions
        self.size = len(positions)
        self._longest = int(positions.max()) + 1
        self._masks: dict[Reach, torch.Tensor] = {}

    def attend(self, layer: int, q: Any, k: Any, v: Any, scale: float | None, reach: Reach) -> torch.Tensor:
        """See `Pass`; the batch dimension holds the sequences here, and each has one token."""
        rows, heads = q.shape[:2]
        keys, values = (cache[:rows] for cache in self._cache[layer])
        slots = torch.arange(rows, device=q.device)
        keys[slots, :, self._positions] = k[:, :, 0]
        values[slots, :, self._positions] = v[:, :, 0]
        keys, values = keys[:, :, : self._longest], values[:, :, : self._longest]
        mask = self._mask(reach, q.dtype)
        folded = fold_heads(q, keys.shape[1])
        out = F.scaled_dot_product_attention(folded, keys, values, attn_mask=mask, scale=scale)
        return out.reshape(rows, 1, heads, -1)

    def _mask(self, reach: Reach, dtype: Any) -> torch.Tensor:
        if reach not in self._masks:
            keys = torch.arange(self._longest, device=self._positions.device)
            seen = reach.sees(self._positions[:, None], keys)
            mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, float("-inf"))
            self._masks[reach] = mask[:, None, None]
        return self._masks[reach]
