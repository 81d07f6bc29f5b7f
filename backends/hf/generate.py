"""Decoding one padded batch with transformers' `generate`, for models that packing does not follow and as the reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import LogitsProcessor, StoppingCriteria

from backends.contract import GenerateRequest, Generation, Tokenizer
from backends.hf.batching import length_batches
from backends.sampling import StopMatcher, TokenSampler, ending, eos_ids

Batch = list[tuple[int, GenerateRequest]]


def padded_generations(
    model: Any, tokenizer: Tokenizer, requests: Sequence[GenerateRequest], budget: int
) -> Iterator[Generation]:
    """Yield the new tokens of each prompt, a batch of at most `budget` padded tokens at a time."""
    lengths = [len(r.prompt) + r.max_new_tokens for r in requests]
    for batch in length_batches(lengths, budget):
        yield from _generate_batch(model, tokenizer, [(i, requests[i]) for i in batch])


@torch.inference_mode()
def _generate_batch(model: Any, tokenizer: Tokenizer, batch: Batch) -> Iterator[Generation]:
    """Prompts are padded on the left; a row's own limit is applied at the end."""
    longest = max(len(r.prompt) for _, r in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, (_, request) in enumerate(batch):
        ids[row, longest - len(request.prompt) :] = torch.tensor(request.prompt)
        mask[row, longest - len(request.prompt) :] = 1
    eos = eos_ids(model, tokenizer)
    out = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        max_new_tokens=max(r.max_new_tokens for _, r in batch),
        do_sample=False,
        logits_processor=[_SeededSampler([r for _, r in batch])],
        stopping_criteria=[_StopStrings(tokenizer, [r for _, r in batch], longest)],
        pad_token_id=min(eos, default=0),
        use_cache=True,
    )
    for row, (index, request) in enumerate(batch):
        yield ending(index, request, out[row, longest:].tolist(), eos)


class _SeededSampler(LogitsProcessor):
    """Leaves only the token that a row's own sampler draws, which greedy search then takes; greedy rows stay as they are."""

    def __init__(self, requests: list[GenerateRequest]) -> None:
        self._rows = [(row, TokenSampler(r)) for row, r in enumerate(requests) if r.temperature > 0]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        for row, sampler in self._rows:
            token = sampler.sample(scores[row : row + 1])
            scores[row] = float("-inf")
            scores[row, token] = 0.0
        return scores


class _StopStrings(StoppingCriteria):
    """A row is done once its new text holds one of its stop strings, or its own limit is reached."""

    def __init__(self, tokenizer: Tokenizer, requests: list[GenerateRequest], prompt_length: int) -> None:
        self._stops = [StopMatcher(tokenizer, r) for r in requests]
        self._limits = [r.max_new_tokens for r in requests]
        self._start = prompt_length
        self._done = [False] * len(requests)

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        for row, tokens in enumerate(input_ids[:, self._start :].tolist()):
            if not self._done[row]:
                self._done[row] = len(tokens) >= self._limits[row] or self._stops[row](tokens)
        return torch.tensor(self._done, device=input_ids.device)
