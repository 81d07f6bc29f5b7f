"""The requests of a call in chunks that each hold together what shares a long beginning. Pure arithmetic, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from backends.contract import GenerateRequest, ScoreRequest
from backends.packing.prefix_tree import Ints, PrefixTree
from backends.packing.score import tree_of

Chunk = list[int]
"""Places of requests in their call."""


def chunks(
    requests: Sequence[ScoreRequest] | Sequence[GenerateRequest], most: int, parts: int = 1, least: int = 1
) -> list[Chunk]:
    """Cut a call into about `parts` chunks, of `least` to `most` tokens to compute, the earliest requests first.

    Requests stand in the order of their prefix tree, and a chunk is a run of that order, so what shares a beginning is apart
    only where a cut falls into it; of the places for a cut the one is taken where least is shared. A new token counts as one
    of a prompt.
    """
    if not requests:
        return []
    tree, new = _tree_of(requests)
    order = tree.by_last
    last = tree.last[order]
    first = np.concatenate([[-1], last[:-1]]) + 1  # of the tokens that nobody before it in the order has
    own = last + 1 - first
    shared = np.where(own > 0, tree.depths[np.minimum(first, len(tree) - 1)], np.iinfo(np.int64).max)
    spent = np.cumsum(own + new[order])
    target = min(most, max(least, int(spent[-1]) // parts + 1))
    edges = [0, *_cuts(spent, shared, target), len(order)]
    cut = [sorted(order[start:stop].tolist()) for start, stop in pairwise(edges)]
    return sorted(cut, key=lambda chunk: chunk[0])


def _cuts(spent: Ints, shared: Ints, target: int) -> Iterator[int]:
    """Where chunks begin, but the first: after half of the target's tokens to all of them, where least is shared."""
    start, before = 0, 0
    while int(spent[-1]) - before > target:
        low, high = (int(np.searchsorted(spent, before + part, "right")) for part in (target // 2, target))
        low, high = max(low, start + 1), max(high, start + 1)
        if low >= len(spent):
            return
        window = shared[low : high + 1][::-1]
        start = low + len(window) - 1 - int(np.argmin(window))
        before = int(spent[start - 1])
        yield start


def _tree_of(
    requests: Sequence[ScoreRequest] | Sequence[GenerateRequest],
) -> tuple[PrefixTree, Ints]:
    """The tree, and the new tokens that each request asks for."""
    scores = [request for request in requests if isinstance(request, ScoreRequest)]
    if len(scores) == len(requests):
        return tree_of(scores), np.zeros(len(scores), np.int64)
    texts = [request for request in requests if isinstance(request, GenerateRequest)]
    tree = PrefixTree([request.prompt for request in texts], [(0,)] * len(texts))
    return tree, np.array([request.max_new_tokens for request in texts], np.int64)
