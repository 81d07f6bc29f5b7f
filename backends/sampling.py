"""How the next token of one sequence is chosen, and when the sequence is over."""

from __future__ import annotations

from typing import Any

import torch
from transformers.generation.logits_process import TemperatureLogitsWarper, TopPLogitsWarper

from backends.contract import GenerateRequest, Generation, Tokenizer


class TokenSampler:
    """Draws from a request's own distribution with its own generator, so that its tokens do not depend on the batch."""

    def __init__(self, request: GenerateRequest) -> None:
        self._temperature = TemperatureLogitsWarper(request.temperature)
        self._top_p = TopPLogitsWarper(1.0 if request.top_p is None else request.top_p)
        self._generator = torch.Generator().manual_seed(request.seed)

    def sample(self, logits: Any) -> Any:
        """The next token, from fp32 logits `[1, vocabulary]`."""
        nothing = torch.empty(1, 0, dtype=torch.long)
        warped: Any = self._top_p(nothing, self._temperature(nothing, logits))  # pyright: ignore[reportArgumentType]
        cumulative = warped[0].double().softmax(-1).cumsum(-1)
        drawn = torch.rand((), generator=self._generator, dtype=torch.float64).to(cumulative.device) * cumulative[-1]
        return torch.searchsorted(cumulative, drawn, right=True).clamp(max=cumulative.numel() - 1)


class StopMatcher:
    """Whether a request's new text holds one of its stop strings; only the last tokens are decoded."""

    def __init__(self, tokenizer: Tokenizer, request: GenerateRequest) -> None:
        self._tokenizer = tokenizer
        self._stops = request.stop
        # A token holds at least one byte, so a stop string cannot span more tokens than it has bytes.
        self._window = 2 + max((len(stop.encode()) for stop in request.stop), default=0)

    def __call__(self, tokens: list[int]) -> bool:
        """Whether the new tokens hold a stop string near their end."""
        if not self._stops:
            return False
        text = self._tokenizer.decode(tokens[-self._window :], skip_special_tokens=False)
        return any(stop in text for stop in self._stops)


def ending(index: int, request: GenerateRequest, tokens: list[int], eos: set[int]) -> Generation:
    """The generation of these new tokens, cut at the request's limit and before end-of-text."""
    tokens = tokens[: request.max_new_tokens]
    end = next((at for at, token in enumerate(tokens) if token in eos), None)
    if end is not None:
        return Generation(index, tuple(tokens[:end]), "stop")
    return Generation(index, tuple(tokens), "length" if len(tokens) == request.max_new_tokens else "stop")


def eos_ids(model: Any, tokenizer: Tokenizer) -> set[int]:
    """The tokens that end a text: the model's own and the tokenizer's."""
    named = model.generation_config.eos_token_id
    ids = {named} if isinstance(named, int) else set(named or ())
    return ids | ({tokenizer.eos_id} if tokenizer.eos_id is not None else set())
