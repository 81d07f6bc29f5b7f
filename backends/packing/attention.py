"""Attention inside transformers' own models when the tokens are a stretch of a prefix tree.

transformers calls an attention function by name for every layer. Ours asks the pass that is running: which keys each query
may see is the pass's business, so a model's code, its norms, its rotary embedding and its scaling stay its own.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F

from backends.packing.prefix_tree import Row
from backends.packing.worker_pool import check_cancelled

NAME = "minizoo_tree"
FOREIGN = ("softcap", "s_aux", "position_bias", "head_mask")
"""Arguments that change attention in ways this function does not follow: refused when they are given."""
QUERY_BLOCK = {"cpu": 128, "cuda": 1024}
"""Queries that share one gathered set of keys. Small blocks waste little on pairs that are masked; measured on a CPU only."""
CHAIN = {"cpu": 768, "cuda": 1024}
"""Tokens from which a chain is plain causal attention. torch's CPU kernel skips no key of a block of 512, so that for shorter
chains blocks under a mask compute less. Measured on a CPU only.
"""
KEYS = 16
"""Keys of a masked block come in multiples of as many, a vector register of fp32: else a CPU takes a tenth longer."""
FOLDED = {"cpu": False, "cuda": True}
"""Whether query heads that share a key head are folded into one under a mask. A GPU's fused kernels take a mask or shared key
heads, not both, and the keys would be copied; a CPU's kernel takes both, and a mask a third as large.
"""

Layer = tuple[torch.Tensor, torch.Tensor]
"""Keys and values of one layer, `[1, kv heads, tokens, head dim]` each."""


class Pass(Protocol):
    """One forward pass: what attention looks like in it."""

    @property
    def picked(self) -> torch.Tensor | None:
        """Tokens whose outputs are wanted, when not all are."""
        ...

    @property
    def size(self) -> int:
        """Tokens of the pass."""
        ...

    def attend(self, layer: int, q: Any, k: Any, v: Any, scale: float | None, window: int | None) -> torch.Tensor:
        """Attention of `[1, heads, tokens, head dim]`; returns `[1, tokens, heads, head dim]`.

        In the last layer `q` may hold the picked tokens alone, and then so does what is returned.
        """
        ...


class Unsupported(Exception):
    """The model attends in a way that packing does not follow."""


_running: ContextVar[Pass] = ContextVar("running pass")


@contextmanager
def running(current: Pass) -> Generator[None]:
    """Make `current` the pass that the attention function asks."""
    token = _running.set(current)
    try:
        yield
    finally:
        _running.reset(token)


def running_pass() -> Pass:
    """The pass that is running; Cancelled where nobody waits for it any more."""
    check_cancelled()
    return _running.get()


def tree_attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any = None, scaling: float | None = None,
    sliding_window: int | None = None, **more: Any,
) -> tuple[torch.Tensor, None]:  # fmt: skip
    """The function that transformers calls, once a layer."""
    foreign = [name for name in FOREIGN if more.get(name) is not None]
    if foreign or attention_mask is not None:
        raise Unsupported(f"its attention takes {', '.join(foreign) or 'a mask of its own'}")
    return running_pass().attend(module.layer_idx, query, key, value, scaling, sliding_window), None


@dataclass(frozen=True)
class Block:
    """Queries `start:stop` of a row and the keys that any of them sees (and a few more), as indices into [path | row]."""

    start: int
    stop: int
    keys: torch.Tensor | slice
    causal_after: int | None
    """For a chain: how many ancestors stand before it; the block is then plain causal attention and needs no mask."""

    def plain(self, window: int | None) -> bool:
        """Whether causal attention is all there is to it: no key is further away than the window reaches."""
        after = self.causal_after
        return after is not None and (window is None or after + self.stop - self.start <= window)


class RowPass:
    """One row of a prefix tree over the kept keys and values of the path above it."""

    def __init__(self, row: Row, path: list[Layer], last_layer: int, device: Any) -> None:
        self._path, self._last = path, last_layer
        self.picked = torch.from_numpy(row.scored - row.start).to(device)
        above, size = len(row.path), len(row)
        self.size = size
        ends = np.concatenate([row.path_ends, row.ends]) - row.start
        self._order = torch.from_numpy(np.concatenate([np.full(above, -1), np.arange(size)])).to(device)
        self._ends = torch.from_numpy(ends).to(device)
        self._depths = torch.from_numpy(np.concatenate([np.arange(above), row.depths])).to(device)
        self._above = above
        self._blocks = [
            Block(start, stop, _as_slice(keys, device), chain)
            for start, stop, keys, chain in _blocks(row.depths, ends, above, torch.device(device).type)
        ]
        carried = int(np.searchsorted(row.kept, row.start))
        self._adds_to_kept = carried < len(row.kept)
        kept = np.concatenate([np.arange(carried), row.kept[carried:] - row.start + above])
        self._kept_index = _as_slice(kept, device)
        self.kept: list[Layer] = [] if self._adds_to_kept else shortened(path, carried)
        self._masks: dict[tuple[int, int | None, bool, int], torch.Tensor] = {}

    def attend(self, layer: int, q: Any, k: Any, v: Any, scale: float | None, window: int | None) -> torch.Tensor:
        """See `Pass`. Layers are asked in order; each leaves in `kept` what the next row needs of it."""
        if self._above:
            path_keys, path_values = self._path[layer]
            k, v = torch.cat([path_keys, k], 2), torch.cat([path_values, v], 2)
        self._keep(k, v)
        if layer == self._last:
            return self._attend_last(q, k, v, scale, window)
        out = torch.empty((1, q.shape[2], q.shape[1], q.shape[3]), dtype=q.dtype, device=q.device)
        for number, block in enumerate(self._blocks):
            queries = slice(block.start, block.stop)
            if block.plain(window):
                out[:, queries] = _causal(block, q, k, v, scale)
            else:
                mask = self._mask((number, window, False), block, queries, window, q, k)
                out[:, queries] = _masked(q[:, :, queries], _take(k, block.keys), _take(v, block.keys), mask, scale)
        return out

    def _keep(self, k: Any, v: Any) -> None:
        if not self._adds_to_kept:
            return
        index = self._kept_index
        # A slice would keep the whole row alive.
        self.kept.append((_take(k, index).clone(), _take(v, index).clone()) if isinstance(index, slice) else
                         (_take(k, index), _take(v, index)))  # fmt: skip

    def _attend_last(self, q: Any, k: Any, v: Any, scale: float | None, window: int | None) -> torch.Tensor:
        """Only queries whose outputs are wanted, whether `q` holds others too (whose outputs are 0 then) or not."""
        whole = q.shape[2] == self.size
        wanted = q[:, :, self.picked] if whole else q
        out = torch.empty((1, wanted.shape[2], q.shape[1], q.shape[3]), dtype=q.dtype, device=q.device)
        for number, block in enumerate(self._blocks):
            low, high = torch.searchsorted(
                self.picked, torch.tensor([block.start, block.stop], device=q.device)
            ).tolist()
            if low < high:
                mask = self._mask((number, window, True), block, self.picked[low:high], window, q, k)
                keys, values = _take(k, block.keys), _take(v, block.keys)
                out[:, low:high] = _masked(wanted[:, :, low:high], keys, values, mask, scale)
        if not whole:
            return out
        scattered = out.new_zeros(1, self.size, *out.shape[2:])
        scattered[:, self.picked] = out
        return scattered

    def _mask(
        self, name: tuple[int, int | None, bool], block: Block, queries: Any, window: int | None, q: Any, k: Any
    ) -> torch.Tensor:
        """0 where the key is the query or an ancestor of it (nearer than `window`), -inf elsewhere; made once a row.

        Where `_masked` folds heads, once for each of those that share a key head.
        """
        groups = q.shape[1] // k.shape[1] if FOLDED[q.device.type] else 1
        known = (*name, groups)
        if known not in self._masks:
            asked = self._order[self._above :][queries][:, None]
            order, ends = self._order[block.keys], self._ends[block.keys]
            seen = (order <= asked) & (asked < ends)
            if window is not None:
                seen &= self._depths[self._above :][queries][:, None] - self._depths[block.keys] < window
            mask = torch.where(seen, 0.0, float("-inf")).to(q.dtype)
            self._masks[known] = mask.expand(groups, -1, -1).flatten(0, 1)
        return self._masks[known]


def shortened(path: list[Layer], length: int) -> list[Layer]:
    """The keys and values of a path's first `length` tokens."""
    return [(k[:, :, :length], v[:, :, :length]) for k, v in path] if length else []


def _blocks(depths: Any, ends: Any, above: int, device: str) -> Iterator[tuple[int, int, Any, int | None]]:
    """Cut a row's queries into (start, stop, keys, ancestors of a plain chain)."""
    size, limit = len(depths), QUERY_BLOCK[device]
    branch = np.append(
        np.flatnonzero(np.diff(depths) != 1) + 1, size
    )  # where a token is not the child of the one before
    at = 0
    while at < size:
        ancestors = np.flatnonzero(ends[: above + at] > at)
        chain = int(branch[np.searchsorted(branch, at, side="right")])
        if chain - at >= CHAIN[device] and len(ancestors) ** 2 <= (chain - at) * limit:
            stop, causal_after = chain, len(ancestors)
        else:
            stop, causal_after = _block_end(at, chain, depths, branch, limit), None
        # What is too much is masked: those tokens are no query's ancestors.
        end = stop if causal_after is not None else min(size, stop + -(len(ancestors) + stop - at) % KEYS)
        yield at, stop, np.concatenate([ancestors, np.arange(at, end) + above]), causal_after
        at = stop


def _block_end(at: int, chain: int, depths: Any, branch: Any, limit: int) -> int:
    """Behind the shallowest branch of the block's second half; a long chain is left to a block of its own."""
    if chain - at > limit:
        return at + limit
    starts = branch[np.searchsorted(branch, at, side="right") : np.searchsorted(branch, at + limit, side="right")]
    lengths = np.append(starts[1:], branch[np.searchsorted(branch, at + limit, side="right") :][:1])
    for start, stop in zip(starts, lengths, strict=False):
        if stop - start > limit:
            return int(start)
    late = starts[starts > at + limit // 2]
    if not len(late):
        return min(at + limit, len(depths))
    if late[-1] == len(depths):
        return len(depths)
    return int(late[len(late) - 1 - np.argmin(depths[late][::-1])])


def _causal(block: Block, q: Any, k: Any, v: Any, scale: float | None) -> torch.Tensor:
    """A chain under few ancestors: square causal attention, with idle queries in the ancestors' places."""
    assert block.causal_after is not None
    seen = q[:, :, block.start : block.stop]
    if block.causal_after:
        seen = F.pad(seen, (0, 0, block.causal_after, 0))
    keys, values = _take(k, block.keys), _take(v, block.keys)
    out = F.scaled_dot_product_attention(
        seen, keys, values, is_causal=True, scale=scale, enable_gqa=q.shape[1] != k.shape[1]
    )
    return out[:, :, block.causal_after :].transpose(1, 2)


def _masked(q: Any, k: Any, v: Any, mask: Any, scale: float | None) -> torch.Tensor:
    """Attention under a mask `[queries, keys]`, or, with folded heads, `[heads a key head × queries, keys]`."""
    _, heads, queries, _ = q.shape
    if FOLDED[q.device.type]:
        q = fold_heads(q, k.shape[1])
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale, enable_gqa=q.shape[1] != k.shape[1])
    return out.view(1, heads, queries, v.shape[-1]).transpose(1, 2)


def fold_heads(q: Any, key_heads: int) -> Any:
    """`[rows, heads, queries, dim]` as `[rows, key heads, heads / key heads × queries, dim]`."""
    return q.reshape(q.shape[0], key_heads, -1, q.shape[3])


def _take(x: Any, index: Any) -> Any:
    return x[:, :, index] if isinstance(index, slice) else x.index_select(2, index)


def _as_slice(index: Any, device: Any) -> torch.Tensor | slice:
    """Ascending indices as a slice where they have no gap: then nothing is gathered."""
    if not len(index) or index[-1] - index[0] + 1 == len(index):
        return slice(int(index[0]), int(index[-1]) + 1) if len(index) else slice(0, 0)
    return torch.from_numpy(index).to(device)
