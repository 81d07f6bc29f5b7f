"""Decoding one padded batch with transformers' `generate`, for models that packing does not follow and as the reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from transformers import LogitsProcessor, StoppingCriteria

from backends.contract import GenerateRequest, Generation, Tokenizer
from backends.generation_settings import NEUTRAL
from backends.hf.batching import length_batches
from backends.hf.plain_ways import Cache, PlainWays, advance
from backends.sampling import Continuation, Decoding, extend


def plain_generations(
    model: Any, tokenizer: Tokenizer, requests: Sequence[GenerateRequest], budget: int, ways: PlainWays
) -> Iterator[Generation]:
    """Yield the new tokens of each prompt: by `generate`, a batch of at most `budget` padded tokens at a time where padding
    changes nothing, or a token at a time where `generate` is not the model's own forward pass.

    Raises what `Decoding` raises, before the first token.
    """
    decoding = Decoding(model, tokenizer, requests)
    if not ways.generates:
        return (_decoded_alone(model, decoding.start(i), ways.streams_cached) for i in range(len(requests)))
    lengths = [len(r.prompt) + r.max_new_tokens for r in decoding.requests]
    batches = length_batches(lengths, budget if ways.left_padded else 1)
    rows = ([decoding.start(i) for i in batch] for batch in batches)
    return chain.from_iterable(_generate_batch(model, batch, ways.cached) for batch in rows)


@torch.inference_mode()
def _decoded_alone(model: Any, row: Continuation, cached: bool) -> Generation:
    cache = Cache()
    while not row.over:
        logits, cache = advance(model, [*row.request.prompt, *row.tokens], cache, cached)
        extend([row], logits[None].float())
        row.is_over()
    return row.generation()


@torch.inference_mode()
def _generate_batch(model: Any, rows: list[Continuation], cached: bool) -> list[Generation]:
    """Prompts are padded on the left. Each row is a sequence of its own, which sees no padding and ends by itself."""
    longest = max(len(row.request.prompt) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for at, row in enumerate(rows):
        ids[at, longest - len(row.request.prompt) :] = torch.tensor(row.request.prompt)
        mask[at, longest - len(row.request.prompt) :] = 1
    model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        logits_processor=[_OwnChoice(rows)],
        stopping_criteria=[_OwnEnd(rows)],
        **{**NEUTRAL, "max_new_tokens": max(row.request.max_new_tokens for row in rows), "use_cache": cached},
    )
    return [row.generation() for row in rows]


class _OwnChoice(LogitsProcessor):
    """Leaves only the token that a row's own sequence chose, which greedy search then takes; an ended row gets token 0."""

    def __init__(self, rows: list[Continuation]) -> None:
        self._rows = rows

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        going = [at for at, row in enumerate(self._rows) if not row.over]
        extend([self._rows[at] for at in going], scores[going])
        chosen = [0 if row.over else row.tokens[-1] for row in self._rows]
        return scores.fill_(float("-inf")).scatter_(1, torch.tensor(chosen, device=scores.device)[:, None], 0.0)


class _OwnEnd(StoppingCriteria):
    """A row is done once its own sequence is over."""

    def __init__(self, rows: list[Continuation]) -> None:
        self._rows = rows

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        return torch.tensor([row.is_over() for row in self._rows], device=input_ids.device)
