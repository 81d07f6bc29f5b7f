"""What a model loses on held-out documents, document by document, each seen whole and alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from zoo.distill.batch import Batch, counted
from zoo.distill.forward import hidden_states
from zoo.reproduce.record import Losses

AT_ONCE = 4096
"""Tokens of a batch, padding included."""


@torch.no_grad()
def held_out_losses(model: Any, documents: Sequence[Sequence[int]]) -> Losses:
    """Σ −log p of each document's tokens but its first, in fp32, in the order of the documents.

    Documents of like length are computed together, so that little of a batch is padding.
    """
    training = model.training
    model.eval()
    nll, tokens = [0.0] * len(documents), [len(document) - 1 for document in documents]
    order = sorted(range(len(documents)), key=lambda at: len(documents[at]))
    try:
        while order:
            longest = len(documents[order[-1]])
            chosen, order = order[-max(1, AT_ONCE // longest) :], order[: -max(1, AT_ONCE // longest)]
            for at, lost in zip(chosen, _losses_of(model, [documents[at] for at in chosen]), strict=True):
                nll[at] = lost
    finally:
        model.train(training)
    return Losses(tuple(tokens), tuple(nll))


def _losses_of(model: Any, documents: list[Sequence[int]]) -> list[float]:
    batch = _padded(documents)
    hidden, _ = hidden_states(model, batch)
    mask = counted(batch)
    logits = model.get_output_embeddings()(hidden[mask]).float()
    lost = torch.nn.functional.cross_entropy(logits, batch.ids.roll(-1, dims=1)[mask], reduction="none")
    whose = torch.arange(len(documents))[:, None].expand_as(mask)[mask]
    return torch.zeros(len(documents), dtype=torch.float64).index_add_(0, whose, lost.double()).tolist()


def _padded(documents: list[Sequence[int]]) -> Batch:
    """A row a document; what is left of a row is padding, which nothing sees and nobody counts."""
    length = max(map(len, documents))
    ids = torch.zeros(len(documents), length, dtype=torch.int64)
    weight = torch.zeros(len(documents), length)
    for row, document in enumerate(documents):
        ids[row, : len(document)] = torch.tensor(document)
        weight[row, 1 : len(document)] = 1.0
    positions = torch.arange(length).expand_as(ids).contiguous()
    return Batch(ids, positions, weight, tuple(range(len(documents))), "")
