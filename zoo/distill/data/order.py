"""Which rows a step takes: a pure function of seed and step, so that nothing of an order is kept in memory or in a file."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

BLOCK = 4096
"""Positions in which each source has its share exactly."""
ROUNDS = 8
"""Rounds of the Feistel network; four make a permutation that cannot be told from a random one (Luby and Rackoff, 1988)."""


@dataclass(frozen=True)
class Group:
    """Rows that are drawn together, each once before any comes again; `share` is theirs of all that is drawn."""

    rows: int
    share: float = 1.0


@dataclass(frozen=True)
class Order:
    """An endless order of the rows of one or several groups, by seed. Rows are numbered through the groups as they stand.

    >>> Order((Group(4),), seed=1).rows_at(0, 8).tolist()  # two epochs, each in an order of its own
    [3, 2, 1, 0, 2, 3, 1, 0]
    """

    groups: tuple[Group, ...]
    seed: int = 0

    @property
    def counts(self) -> tuple[int, ...]:
        """Positions of each group in a block: its share to the nearest whole one (largest remainder), and never none."""
        whole = sum(group.share for group in self.groups)
        exact = np.array([group.share / whole * BLOCK for group in self.groups])
        counts = np.maximum(np.floor(exact).astype(np.int64), 1)
        while (left := BLOCK - int(counts.sum())) > 0:
            counts[np.argmax(exact - counts)] += 1
        counts[np.argmax(counts)] += left  # what the least shares had beyond theirs
        return tuple(int(count) for count in counts)

    def rows_at(self, begin: int, count: int) -> Integers:
        """The rows at the positions from `begin` on."""
        positions = np.arange(begin, begin + count, dtype=np.int64)
        group, draw = self._draws(positions)
        first = np.cumsum([0, *(each.rows for each in self.groups)])
        rows = np.empty(count, dtype=np.int64)
        for number, each in enumerate(self.groups):
            epochs = draw // each.rows
            for epoch in np.unique(epochs[group == number]):
                here = (group == number) & (epochs == epoch)
                key = f"{self.seed} rows {number} {epoch}"
                rows[here] = first[number] + shuffled(draw[here] - epoch * each.rows, each.rows, key)
        return rows

    def _draws(self, positions: Integers) -> tuple[Integers, Integers]:
        """The group of each position, and how many rows were drawn from it before."""
        if len(self.groups) == 1:
            return np.zeros_like(positions), positions
        counts = self.counts
        group, draw = np.empty_like(positions), np.empty_like(positions)
        for block in np.unique(positions // BLOCK):
            here = positions // BLOCK == block
            labels, ranks = _block(self.seed, int(block), counts)
            group[here] = labels[positions[here] % BLOCK]
            draw[here] = ranks[positions[here] % BLOCK] + block * np.array(counts)[group[here]]
        return group, draw


def shuffled(index: Integers, size: int, key: str) -> Integers:
    """Where a permutation of `size` numbers, chosen by `key`, takes each index; by a Feistel network, without a table.

    The network permutes the next power of four; what leaves the range is sent through again until it comes back into it.
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    keys = np.frombuffer(hashlib.sha512(key.encode()).digest(), dtype="<u8", count=ROUNDS)
    found = _feistel(index.astype(np.uint64), half, keys)
    while (outside := found >= size).any():
        found[outside] = _feistel(found[outside], half, keys)
    return found.astype(np.int64)


def _feistel(values: NDArray[np.uint64], half: int, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    width, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = values >> width, values & mask
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & mask)
    return (left << width) | right


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64 (Steele, Lea and Flood, 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@functools.lru_cache(maxsize=8)
def _block(seed: int, block: int, counts: tuple[int, ...]) -> tuple[Integers, Integers]:
    """The group at each position of a block, and its rank among the positions of that group."""
    places = shuffled(np.arange(BLOCK), BLOCK, f"{seed} groups {block}")
    ends = np.cumsum(counts)
    labels = np.searchsorted(ends, places, side="right")
    by_label = np.argsort(labels, kind="stable")
    ranks = np.empty(BLOCK, dtype=np.int64)
    ranks[by_label] = np.arange(BLOCK) - (ends - counts)[labels[by_label]]
    return labels, ranks
