"""Requests as a prefix tree, and the tree as rows: every shared token once. Pure arithmetic on token ids, no torch.

The tokens of the tree stand in preorder (a node before what hangs below it). So the ancestors of token q are exactly the
tokens j ≤ q whose subtree has not ended (q < end[j]), a row is a segment of that order, and all that a row needs
of those before it is the path from the root to its first token. An engine that keeps the keys and values of that one path
computes nothing twice, wherever rows are cut.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

WORTH_SHARING = 16
"""Tokens that two requests must have in common to share any: below this, sharing saves next to nothing, and it would draw a
late request to the front of the schedule because its text begins with the same word as an early one."""
WIDTH = 4
"""Bytes of a token id inside the tree."""


@dataclass(frozen=True)
class Row:
    """A segment of the tree that is computed in one forward pass. Indices are the tree's, in preorder."""

    start: int
    stop: int
    tokens: Ints
    depths: Ints
    """Position of each token in its own sequence."""
    ends: Ints
    """Where each token's subtree ends: it is an ancestor of, or is, every q with index ≤ q < end."""
    path: Ints
    """Indices of the ancestors of the first token, from the root: their keys and values must be there."""
    path_tokens: Ints
    path_ends: Ints
    kept: Ints
    """Those of `path` and of this row that are the path of the next row."""
    scored: Ints
    """Tokens of this row after which a probability is asked, each once, ascending."""
    asked: Ints
    """One entry a question: which of `scored` it is about."""
    targets: Ints
    """One entry a question: the token whose probability is asked."""

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class _Questions:
    """What is asked of the tree's tokens, ordered by token; `slot` is where the answer goes in the requests' order."""

    token: Ints
    target: Ints
    slot: Ints


class PrefixTree:
    """The tree of many sequences: `sequences[i]` is fed to the model, and its last `len(targets[i])` positions are asked
    for the probabilities of `targets[i]`.

    Building is linear in the number of tokens. `first_slot[i]` is where the answers to request i begin, in the order of
    the requests; `last[i]` is its last token's index.
    """

    def __init__(self, sequences: Iterable[Sequence[int]], targets: Sequence[Sequence[int]]) -> None:
        edges = _Edges()
        terminal = np.array([edges.insert(_pack(sequence)) for sequence in sequences], np.int64)
        order = edges.preorder()
        self._edge_start = order.start
        self._edge_depth = order.depth
        self._edge_parent = order.parent
        self._edge_end = order.end
        self.tokens: Ints = order.tokens
        self.asked_tokens = int(sum(edges.lengths[e] for e in terminal)) if len(terminal) else 0
        place = order.place[terminal] if len(terminal) else terminal
        stops = np.append(order.start[1:], len(order.tokens))
        self.last: Ints = stops[place] - 1
        counts = np.array([len(t) for t in targets], np.int64)
        self.first_slot: Ints = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._questions = self._ask(place, counts, targets)

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def depths(self) -> Ints:
        """Position of every token in its own sequence."""
        return self._spread(self._edge_depth - self._edge_start) + np.arange(len(self))

    @cached_property
    def ends(self) -> Ints:
        """Where every token's subtree ends."""
        return self._spread(self._edge_end)

    def path(self, index: int) -> Ints:
        """Indices of the ancestors of token `index`, from the root."""
        edge = bisect_right(self._edge_start, index) - 1
        parts: list[Ints] = [np.arange(self._edge_start[edge], index)]
        while (above := int(self._edge_parent[edge])) >= 0:
            parts.append(np.arange(self._edge_start[above], self._edge_start[above + 1]))
            edge = above
        return np.concatenate(parts[::-1])

    def cut(self, start: int, budget: int) -> int:
        """Where to end a row of at most `budget` tokens: at the shallowest branch of its second half.

        So the path that is carried to the next row is short, and few subtrees are cut.
        """
        limit = start + budget
        if limit >= len(self):
            return len(self)
        first = bisect_left(self._edge_start, start + budget // 2 + 1)
        after = bisect_right(self._edge_start, limit)
        if first >= after:
            return limit
        depths = self._edge_depth[first:after]
        return int(self._edge_start[after - 1 - int(np.argmin(depths[::-1]))])

    def row(self, start: int, stop: int) -> Row:
        """The row of the tokens from `start` to `stop`."""
        path = self.path(start)
        following = self.path(stop) if stop < len(self) else np.empty(0, np.int64)
        ask = slice(*np.searchsorted(self._questions.token, [start, stop]))
        scored, asked = np.unique(self._questions.token[ask], return_inverse=True)
        return Row(
            start, stop, self.tokens[start:stop], self.depths[start:stop], self.ends[start:stop],
            path, self.tokens[path], self.ends[path], following, scored, asked, self._questions.target[ask],
        )  # fmt: skip

    def slots(self, row: Row) -> Ints:
        """Where the answers to the row's questions go, in the order of the requests."""
        return self._questions.slot[slice(*np.searchsorted(self._questions.token, [row.start, row.stop]))]

    @cached_property
    def by_last(self) -> Ints:
        """The requests in the order in which rows complete them."""
        return np.argsort(self.last, kind="stable")

    def completed(self, start: int, stop: int) -> Ints:
        """The requests whose last token lies between `start` and `stop`: with it they are answered."""
        return self.by_last[slice(*np.searchsorted(self.last[self.by_last], [start, stop]))]

    def _spread(self, values: Ints) -> Ints:
        lengths = np.diff(np.append(self._edge_start, len(self)))
        return np.repeat(values, lengths)

    def _ask(self, place: Ints, counts: Ints, targets: Sequence[Sequence[int]]) -> _Questions:
        """Lay out every question, walking all requests up from their last edges at once."""
        flat = np.frombuffer(b"".join(map(_pack, targets)), np.int32)
        token = np.empty(len(flat), np.int64)
        request, edge, stop, left = np.arange(len(place)), place, self.last + 1, counts.copy()
        while len(request):
            here = np.minimum(left, stop - self._edge_start[edge])
            # The questions of this segment end where `left` of the request's own still stand before them.
            into = np.repeat(self.first_slot[request] + left - here, here) + _ramps(here)
            token[into] = np.repeat(stop - here, here) + _ramps(here)
            left = left - here
            more = left > 0
            request, edge, left = request[more], self._edge_parent[edge[more]], left[more]
            stop = self._edge_start[edge + 1] if len(edge) else stop[:0]
        order = np.argsort(token, kind="stable")
        return _Questions(token[order], flat[order].astype(np.int64), order)


def _ramps(lengths: Ints) -> Ints:
    """0 … n-1 for each n in turn."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _pack(tokens: Sequence[int]) -> bytes:
    return array("i", tokens).tobytes()


@dataclass(frozen=True)
class _Preorder:
    start: Ints
    depth: Ints
    parent: Ints
    end: Ints
    tokens: Ints
    place: Ints
    """From an edge's number of creation to its place in preorder."""


class _Edges:
    """A radix tree under construction: an edge is a run of tokens without a branch, as bytes that compare fast."""

    def __init__(self) -> None:
        self.labels: list[bytes] = []
        self.parents: list[int] = []
        self.children: list[dict[bytes, int]] = []
        self.lengths: list[int] = []
        """Tokens from the root to each edge's end."""
        self._roots: dict[bytes, int] = {}

    def insert(self, sequence: bytes) -> int:
        """Add one sequence; the number of the edge at whose end it ends."""
        at, above, siblings, key_width = 0, -1, self._roots, WORTH_SHARING * WIDTH
        while True:
            key = sequence[at : at + key_width]
            edge = siblings.get(key)
            if edge is None:
                edge = siblings[key] = self._add(sequence[at:], above)
                return edge
            label = self.labels[edge]
            if not sequence.startswith(label, at):
                edge = self._split(edge, _common(sequence, at, label))
                label = self.labels[edge]
            at += len(label)
            if at == len(sequence):
                return edge
            above, siblings, key_width = edge, self.children[edge], WIDTH

    def preorder(self) -> _Preorder:
        """Number the edges in preorder, siblings in the order of their first requests."""
        order: list[int] = []
        stack = list(reversed(self._roots.values()))
        while stack:
            edge = stack.pop()
            order.append(edge)
            stack.extend(reversed(self.children[edge].values()))
        chosen = np.array(order, np.int64)
        place = np.empty(len(order), np.int64)
        place[chosen] = np.arange(len(order))
        sizes = np.array([len(self.labels[edge]) // WIDTH for edge in order], np.int64)
        stops = np.cumsum(sizes)
        parent = np.array([self.parents[edge] for edge in order], np.int64)
        parent = np.where(parent < 0, -1, place[parent]) if len(order) else parent
        end = stops.copy()
        for edge in range(len(order) - 1, -1, -1):
            above = parent[edge]
            if above >= 0 and end[above] < end[edge]:
                end[above] = end[edge]
        depth = np.array([self.lengths[edge] for edge in order], np.int64) - sizes
        tokens = np.frombuffer(b"".join([self.labels[edge] for edge in order]), np.int32).astype(np.int64)
        return _Preorder(stops - sizes, depth, parent, end, tokens, place)

    def _add(self, label: bytes, above: int) -> int:
        self.labels.append(label)
        self.parents.append(above)
        self.children.append({})
        self.lengths.append((self.lengths[above] if above >= 0 else 0) + len(label) // WIDTH)
        return len(self.labels) - 1

    def _split(self, lower: int, common: int) -> int:
        """Cut an edge after `common` bytes; the new upper part takes its place among its siblings."""
        label, above = self.labels[lower], self.parents[lower]
        upper = self._add(label[:common], above)
        siblings, key_width = (self._roots, WORTH_SHARING * WIDTH) if above < 0 else (self.children[above], WIDTH)
        siblings[label[:key_width]] = upper
        self.labels[lower], self.parents[lower] = label[common:], upper
        self.children[upper][label[common : common + WIDTH]] = lower
        return upper


def _common(sequence: bytes, at: int, label: bytes) -> int:
    """Bytes of `label` that `sequence` has at `at`, in whole tokens: by halves, each compared at memory speed."""
    low, high = 0, min(len(label), len(sequence) - at) // WIDTH
    while low < high:
        middle = (low + high + 1) // 2
        if sequence.startswith(label[low * WIDTH : middle * WIDTH], at + low * WIDTH):
            low = middle
        else:
            high = middle - 1
    return low * WIDTH
