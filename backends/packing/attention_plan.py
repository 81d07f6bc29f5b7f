"""Which queries of a row attend to which keys: indices alone, in numpy. `attention.RowPass` computes with them.

A row's queries are its tokens, its keys those of its path and its own: [path | row]. Both stand in preorder, so key j is the
query i or an ancestor of it exactly when order[j] ≤ i < end[j] (order: place in the row, -1 for the path; end: where j's
subtree ends). The requests `a b c d e`, `a b c f` and `a b g`, with the path `a b` and the row `c d e f g`:

            path    row
    key     a   b   c   d   e   f   g
    order  -1  -1   0   1   2   3   4
    end     5   5   4   3   3   4   5
    c       x   x   x   .   .   .   .
    d       x   x   x   x   .   .   .      one block: a chain, keys a b c d e
    e       x   x   x   x   x   .   .
    f       x   x   x   .   .   x   .      one block: keys a b c f g, since the subtrees of d and e
    g       x   x   .   .   .   .   x      have ended before f

A block is a run of queries that share one gathered set of keys under a mask. A block that is one long chain (each token the
child of the one before) is plain causal attention after its ancestors and needs no mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.packing.prefix_tree import Row

Ints = NDArray[np.int64]

QUERY_BLOCK = {"cpu": 128, "cuda": 1024}
"""Queries of a masked block at most. Small blocks waste little on pairs that are masked; measured on a CPU only."""
CHAIN = {"cpu": 768, "cuda": 1024}
"""Tokens from which a chain is plain causal attention. torch's CPU kernel skips no key of a block of 512, so that for shorter
chains blocks under a mask compute less. Measured on a CPU only.
"""
KEYS = 16
"""Keys of a masked block come in multiples of as many, a vector register of fp32: else a CPU takes a tenth longer."""


@dataclass(frozen=True)
class Block:
    """Queries `start:stop` of a row and the keys that any of them sees (and a few more), as indices into [path | row]."""

    start: int
    stop: int
    keys: Ints
    causal_after: int | None
    """For a chain: how many ancestors stand before it; the block is then plain causal attention and needs no mask."""

    @property
    def chain_length(self) -> int | None:
        """Tokens of a chain with its ancestors; None for a block under a mask."""
        return None if self.causal_after is None else self.causal_after + self.stop - self.start


@dataclass(frozen=True)
class AttentionPlan:
    """The indices of one row's attention; `order`, `ends` and `depths` have an entry for each key of [path | row]."""

    size: int
    above: int
    """Tokens of the path."""
    order: Ints
    ends: Ints
    depths: Ints
    blocks: list[Block]
    carried: int
    """How many tokens of the path are also in the path of the next row."""
    kept: Ints
    """The path of the next row, as indices into [path | row]."""


def plan_attention(row: Row, device_type: str) -> AttentionPlan:
    """The plan of a row on a device of that type, `cpu` or `cuda`."""
    above, size = len(row.path), len(row)
    ends = np.concatenate([row.path_ends, row.ends]) - row.start
    carried = int(np.searchsorted(row.kept, row.start))
    return AttentionPlan(
        size=size,
        above=above,
        order=np.concatenate([np.full(above, -1), np.arange(size)]),
        ends=ends,
        depths=np.concatenate([np.arange(above), row.depths]),
        blocks=list(_blocks(row.depths, ends, above, device_type)),
        carried=carried,
        kept=np.concatenate([np.arange(carried), row.kept[carried:] - row.start + above]),
    )


def _blocks(depths: Ints, ends: Ints, above: int, device_type: str) -> Iterator[Block]:
    """Cut a row's queries into blocks."""
    size, limit = len(depths), QUERY_BLOCK[device_type]
    # Where a chain ends: the next token is not the child of the one before.
    branches = np.append(np.flatnonzero(np.diff(depths) != 1) + 1, size)
    at = 0
    while at < size:
        ancestors = np.flatnonzero(ends[: above + at] > at)
        chain_end = int(branches[np.searchsorted(branches, at, side="right")])
        # Causal attention computes ancestors² pairs in vain; a mask, up to `limit` for each token of the chain.
        if chain_end - at >= CHAIN[device_type] and len(ancestors) ** 2 <= (chain_end - at) * limit:
            yield Block(at, chain_end, _keys(ancestors, at, chain_end, above), len(ancestors))
            at = chain_end
        else:
            stop = _block_end(at, chain_end, depths, branches, limit)
            # The keys added to make a multiple are no query's ancestors, so they are masked.
            last = min(size, stop + -(len(ancestors) + stop - at) % KEYS)
            yield Block(at, stop, _keys(ancestors, at, last, above), None)
            at = stop


def _keys(ancestors: Ints, start: int, stop: int, above: int) -> Ints:
    return np.concatenate([ancestors, np.arange(start, stop) + above])


def _block_end(at: int, chain_end: int, depths: Ints, branches: Ints, limit: int) -> int:
    """Where a masked block that begins at `at` ends, at most `limit` queries later.

    At the shallowest branch of the block's second half (the last of equals), so that what follows shares few ancestors with it.
    A chain longer than `limit` gets blocks of its own: the block ends where it begins.
    """
    if chain_end - at > limit:
        return at + limit
    first, after = np.searchsorted(branches, [at, at + limit], side="right")
    starts, stops = branches[first:after], branches[first + 1 : after + 1]
    long = starts[: len(stops)][stops - starts[: len(stops)] > limit]
    if len(long):
        return int(long[0])
    late = starts[starts > at + limit // 2]
    if not len(late):
        return min(at + limit, len(depths))
    if late[-1] == len(depths):
        return len(depths)
    return int(late[len(late) - 1 - np.argmin(depths[late][::-1])])
