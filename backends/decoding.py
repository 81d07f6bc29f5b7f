"""Decoding one padded batch with transformers' `generate`: its cache and its rules, our stops and our dice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from transformers import LogitsProcessor, StoppingCriteria
from transformers.generation.logits_process import TemperatureLogitsWarper, TopPLogitsWarper

from backends.contract import GenerateRequest, Generation, Tokenizer

Batch = list[tuple[int, GenerateRequest]]


@torch.inference_mode()
def generate_batch(model: Any, tokenizer: Tokenizer, batch: Batch) -> Iterator[Generation]:
    """Yield the new tokens of each row. Prompts are padded on the left; a row's own limit is applied at the end."""
    longest = max(len(r.prompt) for _, r in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, (_, request) in enumerate(batch):
        ids[row, longest - len(request.prompt) :] = torch.tensor(request.prompt)
        mask[row, longest - len(request.prompt) :] = 1
    eos = _eos_ids(model, tokenizer)
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
        yield _ending(index, request, out[row, longest:].tolist(), eos)


class _SeededSampler(LogitsProcessor):
    """Draws each row's next token with that row's own generator and leaves only that token possible.

    Greedy search then takes it: so a row's draws depend on its seed alone, never on its neighbours in the batch.
    Rows of temperature 0 pass through untouched.
    """

    def __init__(self, requests: list[GenerateRequest]) -> None:
        self._rows = [
            (
                row,
                TemperatureLogitsWarper(r.temperature),
                TopPLogitsWarper(r.top_p),
                torch.Generator().manual_seed(r.seed),
            )
            for row, r in enumerate(requests)
            if r.temperature > 0
        ]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        for row, temperature, top_p, dice in self._rows:
            warped = top_p(input_ids[row : row + 1], temperature(input_ids[row : row + 1], scores[row : row + 1]))
            cumulative = warped[0].double().softmax(-1).cumsum(-1)
            throw = torch.rand((), generator=dice, dtype=torch.float64).to(cumulative.device) * cumulative[-1]
            token = torch.searchsorted(cumulative, throw, right=True).clamp(max=cumulative.numel() - 1)
            scores[row] = float("-inf")
            scores[row, token] = 0.0
        return scores


class _StopStrings(StoppingCriteria):
    """A row is done once its new text holds one of its stop strings (looked for in the last tokens only)."""

    def __init__(self, tokenizer: Tokenizer, requests: list[GenerateRequest], prompt_length: int) -> None:
        self._tokenizer = tokenizer
        self._stops = [r.stop for r in requests]
        self._limits = [r.max_new_tokens for r in requests]
        self._start = prompt_length
        # A token holds at least one byte, so a stop string cannot span more tokens than it has bytes.
        self._window = 2 + max((len(s.encode()) for r in requests for s in r.stop), default=0)
        self._done = [False] * len(requests)

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        new = input_ids.shape[1] - self._start
        tails = input_ids[:, max(self._start, input_ids.shape[1] - self._window) :].tolist()
        for row, tail in enumerate(tails):
            if not self._done[row]:
                text = self._tokenizer.decode(tail, skip_special_tokens=False) if self._stops[row] else ""
                self._done[row] = new >= self._limits[row] or any(stop in text for stop in self._stops[row])
        return torch.tensor(self._done, device=input_ids.device)


def _ending(index: int, request: GenerateRequest, tokens: list[int], eos: set[int]) -> Generation:
    tokens = tokens[: request.max_new_tokens]
    end = next((at for at, token in enumerate(tokens) if token in eos), None)
    if end is not None:
        return Generation(index, tuple(tokens[:end]), "stop")
    return Generation(index, tuple(tokens), "length" if len(tokens) == request.max_new_tokens else "stop")


def _eos_ids(model: Any, tokenizer: Tokenizer) -> set[int]:
    named = model.generation_config.eos_token_id
    ids = {named} if isinstance(named, int) else set(named or ())
    return ids | ({tokenizer.eos_id} if tokenizer.eos_id is not None else set())
