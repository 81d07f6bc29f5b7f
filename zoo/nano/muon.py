"""Muon (Jordan et al. 2024): momentum whose matrices are orthogonalised, here in fp32 and all of one shape at once.

torch's own computes in bf16, which a CPU without bf16 arithmetic does many times slower than fp32.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic Newton-Schulz iteration, as its authors chose them."""
STEPS = 5
SMALLEST_NORM = 1e-7


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; a matrix of more rows than columns is moved further, by the root of their ratio."""

    def __init__(self, matrices: Iterable[Tensor], lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(list(matrices), {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] (no closure here)
        """Move every matrix that has a gradient."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                shapes[matrix.shape].append(matrix)
            for (rows, columns), matrices in shapes.items():
                towards = [self._momentum(matrix, group["momentum"]) for matrix in matrices]
                rate = group["lr"] * max(1.0, rows / columns) ** 0.5
                for matrix, direction in zip(matrices, orthogonalised(torch.stack(towards)), strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction, alpha=rate)

    def _momentum(self, matrix: Tensor, share: float) -> Tensor:
        assert matrix.grad is not None
        held = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
        held.lerp_(matrix.grad, 1 - share)
        return matrix.grad.lerp(held, share)


def orthogonalised(matrices: Tensor) -> Tensor:
    """Each of the matrices [n, rows, columns] with its singular values brought near 1 (between about 0.7 and 1.2)."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=SMALLEST_NORM)
    for _ in range(STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
