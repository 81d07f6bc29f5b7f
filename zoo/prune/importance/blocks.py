"""Blocks of layers whose removal is measured, and which hidden states a streamed pass makes, keeps and reads for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """A run of removed layers: `first` … `first + length − 1`."""

    first: int
    length: int

    @property
    def after(self) -> int:
        """The first layer behind it."""
        return self.first + self.length

    @property
    def name(self) -> str:
        """`first-length`, in the names of files and as a key."""
        return f"{self.first}-{self.length}"


def blocks_of(lengths: Iterable[int], layers: int) -> list[Block]:
    """Every block of each length, by length and then by its first layer."""
    return [Block(first, length) for length in lengths for first in range(layers - length + 1)]


def whole(layer: int) -> str:
    """The states before `layer` of the whole model."""
    return f"whole-{layer}"


def without(block: Block, layer: int) -> str:
    """The states before `layer` of the model without the block; at the block's end they are those at its beginning."""
    return whole(block.first) if layer == block.after else f"without-{block.name}-{layer}"


def passes(layer: int, removed: Sequence[Block]) -> Iterator[tuple[str, str]]:
    """What goes through `layer`: (states before it, states after it), the whole model's first."""
    yield whole(layer), whole(layer + 1)
    for block in removed:
        if block.after <= layer:
            yield without(block, layer), without(block, layer + 1)


def still_needed(done: int, reach: int, removed: Sequence[Block]) -> set[str]:
    """The states that are read once `done` layers are finished; `reach` is the length of the longest block."""
    needed = {whole(layer) for layer in range(max(0, done - reach), done + 1)}
    return needed | {without(block, done) for block in removed if block.after <= done}


def most_at_once(layers: int, reach: int, removed: Sequence[Block]) -> int:
    """How many files of states there are at most: those still needed, and those that a layer writes beside them."""
    return max(
        len(still_needed(layer, reach, removed) | {after for _, after in passes(layer, removed)})
        for layer in range(layers)
    )
