"""How activations become one score a unit: first along the sequence, then over the batch (arXiv 2407.14679 §2.2).

Over S values: mean = Σ|Sᵢ| / n, L2 = √ΣSᵢ², var = Σ(Sᵢ − S̄)² / n. The best pair in the paper's Table 11 is batch L2,
sequence mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Function = Literal["mean", "l2", "var"]
FUNCTIONS: tuple[Function, ...] = get_args(Function)
Neurons = Literal["post", "pre"]
"""post: the input of down_proj (activation, or gated product). pre: the first matrix's output, as the paper prints it."""


@dataclass(frozen=True)
class Aggregation:
    """The functions over the rows of a batch and over the tokens of a sequence."""

    batch: Function = "l2"
    sequence: Function = "mean"


def along_sequence(values: torch.Tensor, function: Function) -> torch.Tensor:
    """[rows, tokens, units] → [rows, units], in fp32 whatever comes in (bf16 sums overflow and lose units)."""
    import torch

    values = values.float()
    if function == "mean":
        return values.abs().mean(1)
    return torch.linalg.vector_norm(values, dim=1) if function == "l2" else values.var(1, unbiased=False)


class BatchSums:
    """fp64 sums over rows, from which each batch function follows: order and grouping of the rows do not matter."""

    def __init__(self, units: int) -> None:
        self.rows = 0
        self.first: NDArray[np.float64] = np.zeros(units)
        self.second: NDArray[np.float64] = np.zeros(units)

    def add(self, values: NDArray[np.float64]) -> None:
        """Add values [rows, units]."""
        self.rows += len(values)
        self.first += values.sum(0)
        self.second += np.square(values).sum(0)

    def score(self, function: Function) -> NDArray[np.float64]:
        """The score a unit: mean, L2 or variance over the rows seen."""
        if function == "l2":
            return np.sqrt(self.second)
        mean = self.first / self.rows  # sequence aggregates are never negative, so |S| = S
        return mean if function == "mean" else np.maximum(self.second / self.rows - np.square(mean), 0.0)
