"""What passes between data, teacher, student and loss: rows of tokens, and what the teacher says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Packed rows. All tensors have the shape [rows, length]."""

    ids: Tensor
    """int64 token ids."""
    positions: Tensor
    """int64; from 0 at the start of each document, by which transformers keeps documents apart."""
    weight: Tensor
    """float32: 1 where the token is one that the model is to say (all but a document's first, padding and what is masked),
    else 0. The prediction at position t is of the token at t + 1, so the loss of row r, position t is weighed by
    weight[r, t + 1]."""
    rows: tuple[int, ...]
    """The rows' numbers in the data set, the same whatever the rank and the micro-batch."""
    digest: str
    """sha256 of the ids, for messages and records."""


@dataclass(frozen=True)
class Head:
    """A model's output layer: logits = scale · softcap(hidden · weightᵀ + bias)."""

    weight: Tensor
    """[vocabulary, hidden]; a parameter of the student, or the teacher's frozen weight."""
    bias: Tensor | None = None
    scale: float = 1.0
    softcap: float | None = None
    """cap · tanh(logits / cap), where the model has one."""


@dataclass(frozen=True)
class ExactTargets:
    """The teacher's whole distribution: hidden states before its head, [tokens, hidden], and the head."""

    hidden: Tensor
    head: Head
    states: tuple[Tensor, ...] = ()
    """Normed hidden states of the layers that were asked for, each [tokens, hidden]; for losses on intermediate states."""


@dataclass(frozen=True)
class SampledTargets:
    """An unbiased sample of the teacher's distribution: [tokens, k] token ids and their weights, which sum to 1 a token."""

    ids: Tensor
    weights: Tensor
    entropy: Tensor
    """[tokens], nats: of the whole distribution, not of the sample, so that the divergence from it can be told."""


class Teacher(Protocol):
    """Whoever says what the student should say: a model, or a cache of what one said."""

    digest: str
    """Of its weights."""
    vocabulary: int

    def targets(self, batch: Batch) -> ExactTargets | SampledTargets:
        """Targets of the positions that count (whose next token has weight), in the order of rows and positions."""
        ...


def counted(batch: Batch) -> Tensor:
    """bool [rows, length]: the positions whose prediction counts, i.e. whose next token has weight."""
    import torch

    mask = torch.zeros_like(batch.weight, dtype=torch.bool)
    mask[:, :-1] = batch.weight[:, 1:] > 0
    return mask
