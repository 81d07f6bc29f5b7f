"""A token id and its weight in 32 bits: the id in as many as the vocabulary needs, the weight in the others."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.distill.teacher.cache.sampling import Drawn
from zoo.errors import InvalidOption

LEAST_BITS = 10
"""Of a weight; a vocabulary of 262,144 leaves it 14, one of 32,000 17."""


class Packing:
    """Weights are whole numbers of units, 2^bits − 1 of them a position, rounded so that the expectation stays what it was.

    A weight of 3.2 units is stored as 3 four times of five, else as 4; and a position's weights still sum to 1.
    """

    def __init__(self, vocabulary: int) -> None:
        self.id_bits = max(1, (vocabulary - 1).bit_length())
        bits = 32 - self.id_bits
        if bits < LEAST_BITS:
            raise InvalidOption(
                f"A vocabulary of {vocabulary:,} leaves too few of 32 bits for a weight.", "Take an exact cache."
            )
        self.units = 2**bits - 1

    def pack(self, drawn: Drawn, u: Tensor) -> Tensor:
        """int32 [positions, k] of ids and weights [positions, k], rounded by one uniform number a position, `u`."""
        ids, weights = drawn
        reached = weights.double().cumsum(1)
        reached = reached / reached[:, -1:] * self.units
        steps = torch.floor(reached + u[:, None])
        steps[:, -1] = self.units  # floor(units + u), whatever the rounding of the sum
        # the first of a position counts from floor(u) = 0
        units = torch.diff(steps, dim=1, prepend=torch.zeros_like(steps[:, :1])).long()
        return _signed(units << self.id_bits | ids)

    def unpack(self, packed: Tensor) -> Drawn:
        """Ids (int64) and weights (fp32) of what `pack` gave."""
        bits = packed.long() & 0xFFFF_FFFF
        return bits & ((1 << self.id_bits) - 1), (bits >> self.id_bits).float() / self.units


def _signed(bits: Tensor) -> Tensor:
    """32 bits in an int64 as the int32 of the same bits."""
    return torch.where(bits >= 1 << 31, bits - (1 << 32), bits).int()
