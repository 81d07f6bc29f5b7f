"""Scores without sharing: padded batches through the model as it is. The reference for packing, and what replaces it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from backends.contract import Score, ScoreRequest
from backends.hf.batching import length_batches

Batch = list[tuple[int, ScoreRequest]]


def unpacked_scores(model: Any, requests: Sequence[ScoreRequest], budget: int, padded: bool = True) -> Iterator[Score]:
    """Yield Σ log p of each continuation, a batch of at most `budget` padded tokens at a time, or each sequence alone."""
    lengths = [len(r.context) + len(r.continuation) - 1 for r in requests]
    for batch in length_batches(lengths, budget if padded else 1):
        yield from _score_batch(model, [(i, requests[i]) for i in batch])


@torch.inference_mode()
def _score_batch(model: Any, batch: Batch) -> Iterator[Score]:
    """One forward pass. Rows are padded on the right, which a causal mask never lets a real token see."""
    rows = [(r.context + r.continuation)[:-1] for _, r in batch]
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
    first_scored = min(len(r.context) - 1 for _, r in batch)
    keep = torch.arange(first_scored, ids.shape[1], device=model.device)
    logits = model(input_ids=ids.to(model.device), use_cache=False, logits_to_keep=keep).logits
    if logits.shape[1] != len(keep):  # a class that takes any argument and heeds not all
        logits = logits[:, first_scored:]
    for row, (index, request) in enumerate(batch):
        start = len(request.context) - 1 - first_scored
        scored = F.log_softmax(logits[row, start : start + len(request.continuation)].float(), dim=-1)
        target = torch.tensor(request.continuation, device=model.device)
        taken = scored.gather(1, target[:, None])[:, 0]
        greedy = bool((scored.argmax(-1) == target).all())
        per_token = tuple(taken.tolist()) if request.per_token else None
        yield Score(index, float(taken.double().sum()), greedy, per_token)
