"""Attention inside transformers' own models when the tokens are a row of a prefix tree.

transformers calls an attention function by name for every layer, and a mask function by the same name where the model builds
its masks. Ours puts a `Reach` in the mask's place, which comes back with each layer's queries and keys: so a window is what the
model's mask says, as in transformers' own attention. The running pass knows which tokens are on one path. A model's code, its
norms, its rotary embedding and its scaling stay its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from transformers.masking_utils import causal_mask_function

from backends.packing.attention_plan import Block, plan_attention
from backends.packing.forward_pass import Layer, Reach, Unsupported, running_pass
from backends.packing.prefix_tree import Row

NAME = "minizoo_tree"
FOREIGN = ("softcap", "s_aux", "position_bias", "head_mask")
"""Arguments that change attention in ways this function does not follow: refused when they are given."""
FOLDED = {"cpu": False, "cuda": True}
"""Whether query heads that share a key head are folded into one under a mask. A GPU's fused kernels take a mask or shared key
heads, not both, and the keys would be copied; a CPU's kernel takes both, and a mask a third as large.
"""

Index = torch.Tensor | slice


def tree_attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any = None, scaling: float | None = None,
    sliding_window: int | None = None, **more: Any,
) -> tuple[torch.Tensor, None]:  # fmt: skip
    """The function that transformers calls, once a layer; Unsupported for arguments that it does not follow."""
    foreign = [name for name in FOREIGN if more.get(name) is not None]
    if foreign:
        raise Unsupported(f"its attention takes {', '.join(foreign)}")
    if more.get("is_causal") is False:
        raise Unsupported("its attention sees later tokens")
    # A model that builds no mask leaves the window to the attention function.
    reach = Reach(window=sliding_window) if attention_mask is None else attention_mask
    if not isinstance(reach, Reach):
        raise Unsupported("its attention takes a mask of its own")
    return running_pass().attend(module.layer_idx, query, key, value, scaling, reach), None


def tree_mask(
    *, mask_function: Callable[..., Any], local_size: int | None = None, use_vmap: bool = False, device: Any = None, **_: Any
) -> Reach:  # fmt: skip
    """The mask function that transformers calls, once a kind of layer: what the mask says by positions alone.

    Raises Unsupported for a mask that is no causal, sliding or chunked one.
    """
    if use_vmap:
        raise Unsupported("its mask has rules of its own")
    if mask_function is causal_mask_function:
        return Reach()
    size = local_size or 64
    at = torch.tensor([0, 1, size - 1, size, size + 1, 2 * size - 1, 2 * size, 2 * size + 1, 3 * size], device=device)
    queries, keys = at[:, None], at[None, :]
    try:
        said = mask_function(at[0], at[0], queries, keys)
    except IndexError:
        raise Unsupported("its mask depends on more than positions") from None
    for reach in (Reach(), Reach(window=local_size), Reach(chunk=local_size)):
        if torch.equal(said.expand(len(at), len(at)), reach.sees(queries, keys)):
            return reach
    raise Unsupported("its mask is no causal, sliding or chunked one")


class RowPass:
    """A `Pass` of one row of a prefix tree over the kept keys and values of the path above it."""

    def __init__(self, row: Row, path: list[Layer], last_layer: int, device: Any) -> None:
        plan = plan_attention(row, torch.device(device).type)
        self._path, self._last, self.trims = path, last_layer, False
        # Where none is asked for the first stands in: some layers cannot reshape nothing.
        self.picked = torch.from_numpy(row.scored - row.start if len(row.scored) else np.zeros(1, np.int64)).to(device)
        self.size, self._above = plan.size, plan.above
        self._order = torch.from_numpy(plan.order).to(device)
        self._ends = torch.from_numpy(plan.ends).to(device)
        self._depths = torch.from_numpy(plan.depths).to(device)
        self._blocks = [(block, _as_index(block.keys, device)) for block in plan.blocks]
        self._adds_to_kept = plan.carried < len(plan.kept)
        self._kept_index = _as_index(plan.kept, device)
        self.kept: list[Layer] = [] if self._adds_to_kept else shortened(path, plan.carried)
        self._masks: dict[tuple[int, Reach, bool, int], torch.Tensor] = {}

    def attend(self, layer: int, q: Any, k: Any, v: Any, scale: float | None, reach: Reach) -> torch.Tensor:
        """See `Pass`. Layers are run in order; each leaves in `kept` what the next row needs of it."""
        if self._above:
            path_keys, path_values = self._path[layer]
            k, v = torch.cat([path_keys, k], 2), torch.cat([path_values, v], 2)
        self._keep(k, v)
        if layer == self._last:
            self.trims = True
            return self._attend_last(q, k, v, scale, reach)
        out = torch.empty((1, q.shape[2], q.shape[1], v.shape[3]), dtype=q.dtype, device=q.device)
        for number, (block, keys) in enumerate(self._blocks):
            queries = slice(block.start, block.stop)
            if block.chain_length is not None and reach.covers(block.chain_length):
                out[:, queries] = _causal(block, q, _take(k, keys), _take(v, keys), scale)
            else:
                mask = self._mask((number, reach, False), keys, queries, q, k)
                out[:, queries] = _masked(q[:, :, queries], _take(k, keys), _take(v, keys), mask, scale)
        return out

    def _keep(self, k: Any, v: Any) -> None:
        if not self._adds_to_kept:
            return
        index = self._kept_index
        # A slice would keep the whole row alive.
        self.kept.append((_take(k, index).clone(), _take(v, index).clone()) if isinstance(index, slice) else
                         (_take(k, index), _take(v, index)))  # fmt: skip

    def _attend_last(self, q: Any, k: Any, v: Any, scale: float | None, reach: Reach) -> torch.Tensor:
        """Only queries whose outputs are wanted, whether `q` holds others too (whose outputs are 0 then) or not."""
        whole = q.shape[2] == self.size
        wanted = q[:, :, self.picked] if whole else q
        out = torch.empty((1, wanted.shape[2], q.shape[1], v.shape[3]), dtype=q.dtype, device=q.device)
        for number, (block, index) in enumerate(self._blocks):
            low, high = torch.searchsorted(
                self.picked, torch.tensor([block.start, block.stop], device=q.device)
            ).tolist()
            if low < high:
                mask = self._mask((number, reach, True), index, self.picked[low:high], q, k)
                keys, values = _take(k, index), _take(v, index)
                out[:, low:high] = _masked(wanted[:, :, low:high], keys, values, mask, scale)
        if not whole:
            return out
        scattered = out.new_zeros(1, self.size, *out.shape[2:])
        scattered[:, self.picked] = out
        return scattered

    def _mask(self, name: tuple[int, Reach, bool], keys: Index, queries: Any, q: Any, k: Any) -> torch.Tensor:
        """0 where the key is the query or an ancestor of it that it sees, -inf elsewhere; made once a row.

        Where `_masked` folds heads, once for each of those that share a key head.
        """
        groups = q.shape[1] // k.shape[1] if FOLDED[q.device.type] else 1
        known = (*name, groups)
        if known not in self._masks:
            place = self._order[self._above :][queries][:, None]
            order, ends = self._order[keys], self._ends[keys]
            seen = (order <= place) & (place < ends)
            reach = name[1]
            if reach != Reach():
                seen &= reach.sees(self._depths[self._above :][queries][:, None], self._depths[keys])
            mask = torch.where(seen, 0.0, float("-inf")).to(q.dtype)
            self._masks[known] = mask.expand(groups, -1, -1).flatten(0, 1)
        return self._masks[known]


def shortened(path: list[Layer], length: int) -> list[Layer]:
    """The keys and values of a path's first `length` tokens."""
    return [(k[:, :, :length], v[:, :, :length]) for k, v in path] if length else []


def fold_heads(q: Any, key_heads: int) -> Any:
    """`[rows, heads, queries, dim]` as `[rows, key heads, heads / key heads × queries, dim]`."""
    return q.reshape(q.shape[0], key_heads, -1, q.shape[3])


def _causal(block: Block, q: Any, keys: Any, values: Any, scale: float | None) -> torch.Tensor:
    """A chain under few ancestors: square causal attention, with idle queries in the ancestors' places."""
    assert block.causal_after is not None
    queries = q[:, :, block.start : block.stop]
    if block.causal_after:
        queries = F.pad(queries, (0, 0, block.causal_after, 0))
    out = F.scaled_dot_product_attention(
        queries, keys, values, is_causal=True, scale=scale, enable_gqa=q.shape[1] != keys.shape[1]
    )
    return out[:, :, block.causal_after :].transpose(1, 2)


def _masked(q: Any, k: Any, v: Any, mask: Any, scale: float | None) -> torch.Tensor:
    """Attention under a mask `[queries, keys]`, or, with folded heads, `[heads a key head × queries, keys]`."""
    _, heads, queries, _ = q.shape
    if FOLDED[q.device.type]:
        q = fold_heads(q, k.shape[1])
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale, enable_gqa=q.shape[1] != k.shape[1])
    return out.view(1, heads, queries, v.shape[-1]).transpose(1, 2)


def _take(x: Any, index: Index) -> Any:
    return x[:, :, index] if isinstance(index, slice) else x.index_select(2, index)


def _as_index(indices: Any, device: Any) -> Index:
    """Ascending indices as a slice where they have no gap: then nothing is gathered."""
    if not len(indices) or indices[-1] - indices[0] + 1 == len(indices):
        return slice(int(indices[0]), int(indices[-1]) + 1) if len(indices) else slice(0, 0)
    return torch.from_numpy(indices).to(device)
