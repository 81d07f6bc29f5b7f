"""Documents that nothing is trained on, and a model's loss on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.search.stopping import Losses

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.distill.batch import Head

AT_ONCE = 8192
"""Tokens of a forward pass, padding included."""
LOGITS_AT_ONCE = 512
"""Positions whose logits are in memory together."""


@dataclass(frozen=True)
class HeldOut:
    """Documents as token ids, special tokens included, each of 2 tokens or more and no longer than a training row."""

    documents: tuple[tuple[int, ...], ...]

    @property
    def tokens(self) -> Losses:
        """Tokens of each document that a model is to say: all but the first."""
        return np.array([len(each) - 1 for each in self.documents], dtype=float)


def document_losses(model: Any, held_out: HeldOut, device: str = "cpu") -> Losses:
    """Σ −log p over each document's tokens but the first, in nats, [documents]; log-softmax in fp32.

    Each document is for itself: one a row, those of like length together. The model is put into evaluation and moved to the
    device. What is not finite stays so: the caller judges it.
    """
    import torch

    from zoo.distill.heads import head_of

    model.eval().to(device)
    head = head_of(model)
    order = sorted(range(len(held_out.documents)), key=lambda at: len(held_out.documents[at]))
    found = np.zeros(len(order))
    with torch.inference_mode():
        for some in _batches(order, held_out.documents):
            ids, mask = _padded([held_out.documents[at] for at in some], device)
            found[list(some)] = _losses(model, head, ids, mask)
    return found


def _batches(order: Sequence[int], documents: Sequence[Sequence[int]]) -> list[list[int]]:
    """Neighbours in order of length, as many as AT_ONCE tokens hold."""
    batches: list[list[int]] = [[]]
    for at in order:
        if batches[-1] and (len(batches[-1]) + 1) * len(documents[at]) > AT_ONCE:
            batches.append([])
        batches[-1].append(at)
    return batches


def _padded(documents: Sequence[Sequence[int]], device: str) -> tuple[Tensor, Tensor]:
    import torch

    longest = max(map(len, documents))
    ids = torch.zeros(len(documents), longest, dtype=torch.long)
    mask = torch.zeros(len(documents), longest, dtype=torch.bool)
    for row, document in enumerate(documents):
        ids[row, : len(document)] = torch.tensor(document)
        mask[row, 1 : len(document)] = True
    return ids.to(device), mask.to(device)


def _losses(model: Any, head: Head, ids: Tensor, mask: Tensor) -> Losses:
    """Padding stands behind a document, so a causal model never sees it."""
    import torch

    from zoo.checkpoint.in_memory.logit_shell import decoder_of

    hidden = decoder_of(model)(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    asked = mask[:, 1:]
    states, targets = hidden[asked], ids[:, 1:][asked]
    losses: list[Tensor] = []
    for first in range(0, len(states), LOGITS_AT_ONCE):
        logits = torch.nn.functional.linear(states[first : first + LOGITS_AT_ONCE], head.weight, head.bias).float()
        if head.softcap is not None:
            logits = head.softcap * torch.tanh(logits / head.softcap)
        at = targets[first : first + LOGITS_AT_ONCE]
        losses.append(torch.nn.functional.cross_entropy(logits * head.scale, at, reduction="none").double())
    rows = asked.nonzero()[:, 0]
    sums = torch.zeros(len(ids), dtype=torch.double, device=ids.device).index_add_(0, rows, torch.cat(losses))
    return sums.cpu().numpy()
