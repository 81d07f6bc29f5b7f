"""From scratch by the recipe of the shipped nano teacher, over the rows that the students read."""

from __future__ import annotations

import math
from typing import Any

import torch

from zoo.distill.data.rows import TokenRows
from zoo.errors import LossNotFinite
from zoo.nano.training import TrainingRecipe, fit
from zoo.reproduce.scale import Scale

NEVER = 1 << 62


def train_from_scratch(model: Any, rows: TokenRows, scale: Scale, tokens: int) -> int:
    """Train in place: matrices by Muon, embeddings and norms by AdamW; returns the tokens of the rows that were seen.

    The recipe's batches of documents that are as long as the context are left out: all rows here have one length. Raises
    LossNotFinite at the end of a training that diverged.
    """
    recipe = TrainingRecipe(
        batch=scale.batch * scale.length,
        micro=scale.batch * scale.length,
        row=scale.length,
        long_every=NEVER,
        matrix_rate=scale.rates.muon_matrices,
        other_rate=scale.rates.muon_others,
    )
    steps = scale.steps(tokens)
    if not math.isfinite(fit(model, _InOrder(rows), recipe, steps)):
        raise LossNotFinite("The loss of a training from scratch became NaN or infinite.")
    return steps * recipe.batch


class _InOrder:
    """The rows of a data set in the order of its steps."""

    def __init__(self, rows: TokenRows) -> None:
        self._rows, self._step = rows, 0

    def take(self, rows: int, length: int) -> torch.Tensor:
        """The rows of the next step [rows, length], as the distillation takes them."""
        found = self._rows.batch(self._rows.step_rows(self._step, rows))
        self._step += 1
        return found.ids
