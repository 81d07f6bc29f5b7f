"""Bytes of a model's weights, in one dtype or as a quantised checkpoint stores them. The one place that answers it.

A quantiser touches matrices alone: norms, biases and the small vectors of a Mamba mixer stay in 16 bits, and so do the tables
(embedding, head) that it is told to keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.arch.dims import Dense, Hybrid
from zoo.arch.parameters import BITS, Dtype, count_matrices, count_parameters
from zoo.errors import StorageUnknown

Table = Literal["embedding", "head"]
WHOLE_BITS = 16
"""Bits of what a quantiser leaves alone."""


@dataclass(frozen=True)
class WeightBytes:
    """Bytes of all weights, and of those the embedding table's; None where only the whole is known."""

    total: int
    embedding: int | None

    def read(self, dims: Dense | Hybrid, rows: int) -> int:
        """Bytes of one step that looks up `rows` rows: every weight once, of a table that is no head only the rows.

        Raises StorageUnknown where the table's share is not known.
        """
        if dims.tied_embeddings:
            return self.total
        if self.embedding is None:
            raise StorageUnknown(
                "What all weights take is known, but not the embedding table's share, so neither is what a step reads.",
                "Say in the registry which tables are kept in 16 bits (`quantization: kept`), or give --dtype.",
            )
        return self.total - self.embedding + min(rows, dims.vocab_size) * self.embedding // dims.vocab_size


@dataclass(frozen=True)
class Scheme:
    """How matrices are stored: bits a weight, the tables that stay in 16, and what scales add.

    `group` weights share a scale (with its zero point) of `scale_bits` together; without groups scales are too few to count.
    """

    bits: int
    kept: tuple[Table, ...] = ()
    group: int | None = None
    scale_bits: int = WHOLE_BITS


def bytes_in(dims: Dense | Hybrid, dtype: Dtype) -> WeightBytes:
    """Bytes with every weight in `dtype`."""
    count = count_parameters(dims)
    return WeightBytes(count.total * BITS[dtype] // 8, count.embedding * BITS[dtype] // 8)


def bytes_quantised(dims: Dense | Hybrid, scheme: Scheme) -> WeightBytes:
    """Bytes of the weights as the scheme stores them, by closed form.

    A table that is also the head is kept where either is named.
    """
    count = count_parameters(dims)
    kept = set(scheme.kept) | ({"embedding"} if dims.tied_embeddings and "head" in scheme.kept else set())
    tables = {"embedding": count.embedding, "head": count.head}
    sizes = {name: _matrix(size, None if name in kept else scheme) for name, size in tables.items()}
    matrices = count_matrices(dims)
    vectors = count.total - count.embedding - count.head - matrices
    return WeightBytes(sum(sizes.values()) + _matrix(matrices, scheme) + _matrix(vectors, None), sizes["embedding"])


def weight_bytes(dims: Dense | Hybrid, dtype: Dtype = "bfloat16") -> int:
    """Bytes of all weights in one dtype."""
    return bytes_in(dims, dtype).total


def _matrix(weights: int, scheme: Scheme | None) -> int:
    if scheme is None:
        return weights * WHOLE_BITS // 8
    scales = -(-weights // scheme.group) * scheme.scale_bits if scheme.group else 0
    return (weights * scheme.bits + scales + 7) // 8
