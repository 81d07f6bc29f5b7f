"""How the next token of a sequence is chosen, and when the sequence is over, as in transformers' `generate` for one prompt.

A model's generation_config.json and a request's own settings become transformers' own logits processors, built for each
sequence with its own prompt, so that a sequence is the same alone, padded in a batch, or packed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from backends.contract import GenerateRequest, Generation, Tokenizer
from backends.generation_config import config_of, eos_ids, processors_of, tried_processors
from zoo.checkpoint.context_length import KEYS
from zoo.errors import PromptTooLong


class Decoding:
    """How one model decodes requests: what its generation_config.json says under what each request says.

    Raises UnsupportedRequest for a setting that is not followed or has no sense, PromptTooLong where a `max_new_tokens` of
    generation_config.json, which counts before a request's own, does not fit.
    """

    def __init__(self, model: Any, tokenizer: Tokenizer, requests: Sequence[GenerateRequest]) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._configs: dict[str, tuple[Any, bool]] = {}
        """A request's settings → their configuration, and whether the most probable token is simply taken."""
        self.requests = [self._settled(request) for request in requests]

    def start(self, index: int) -> Continuation:
        """The empty continuation of the request at this position."""
        request = self.requests[index]
        config, plain = self._configs[_key(request)]
        eos = eos_ids(config) | ({self._tokenizer.eos_id} if self._tokenizer.eos_id is not None else set[int]())
        chooser = None if plain else TokenChooser(self._model, config, request)
        return Continuation(index, request, eos, StopMatcher(self._tokenizer, request), self._tokenizer, chooser)

    def _settled(self, request: GenerateRequest) -> GenerateRequest:
        key = _key(request)
        if key not in self._configs:
            config = config_of(self._model, request)
            acts = len(tried_processors(self._model, config, request)) > 0
            self._configs[key] = config, request.temperature == 0 and not acts
        limit = self._configs[key][0].max_new_tokens
        if limit is None or limit == request.max_new_tokens:
            return request
        context = _context(self._model)
        if context is not None and len(request.prompt) + limit > context:
            raise PromptTooLong(
                f"generation_config.json sets max_new_tokens to {limit}, which transformers puts before a task's own limit; "
                f"after a prompt of {len(request.prompt)} tokens they do not fit into a context of {context}.",
                "Take max_new_tokens out of generation_config.json: the tasks' own limits then hold.",
            )
        return replace(request, max_new_tokens=limit)


@dataclass
class Continuation:
    """A sequence while it grows: its request, its new tokens, and how its next one is chosen."""

    index: int
    request: GenerateRequest
    eos: set[int]
    stops: StopMatcher
    tokenizer: Tokenizer
    chooser: TokenChooser | None
    """None where the most probable token is taken."""
    tokens: list[int] = field(default_factory=list[int])
    finite: bool = True
    over: bool = False

    @property
    def position(self) -> int:
        """Where its newest token stands."""
        return len(self.request.prompt) + len(self.tokens) - 1

    def is_over(self) -> bool:
        """Whether its newest token is its last; what follows logits that are not finite means nothing."""
        full = len(self.tokens) >= self.request.max_new_tokens
        self.over = self.over or full or not self.finite or self.tokens[-1] in self.eos or self.stops(self.tokens)
        return self.over

    def generation(self) -> Generation:
        """What it came to. The token that ended it is left out, unless it has a text: transformers keeps that in the text."""
        tokens, last = self.tokens, self.tokens[-1]
        ended = last in self.eos
        full = len(tokens) == self.request.max_new_tokens and not ended
        if ended and not self.tokenizer.decode([last], skip_special_tokens=True):
            tokens = tokens[:-1]
        return Generation(self.index, tuple(tokens), "length" if full else "stop", finite=self.finite)


def extend(sequences: Sequence[Continuation], logits: torch.Tensor) -> None:
    """Give each sequence its next token, from fp32 logits `[sequences, vocabulary]`."""
    best = logits.argmax(-1)
    finite = logits.gather(-1, best[:, None])[:, 0].isfinite()
    for row, (sequence, token) in enumerate(zip(sequences, torch.where(finite, best, ~best).tolist(), strict=True)):
        sequence.finite &= token >= 0
        own = sequence.chooser if token >= 0 else None
        sequence.tokens.append(own.choose(logits[row : row + 1]) if own else max(token, ~token))


class TokenChooser:
    """Chooses one sequence's tokens: transformers' processors over its own ids, then the best or one drawn by its own seed."""

    def __init__(self, model: Any, config: Any, request: GenerateRequest) -> None:
        self._processors = processors_of(model, config, request, model.device)
        self._generator = torch.Generator().manual_seed(request.seed) if request.temperature > 0 else None
        self._ids = torch.tensor([[*request.prompt, *[0] * request.max_new_tokens]], device=model.device)
        self._length = len(request.prompt)

    def choose(self, logits: torch.Tensor) -> int:
        """The next token, from fp32 logits `[1, vocabulary]`."""
        scores = self._processors(self._ids[:, : self._length], logits.clone())[0]
        token = int(scores.argmax()) if self._generator is None else _drawn(scores, self._generator)
        self._ids[0, self._length] = token
        self._length += 1
        return token


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


def _drawn(scores: torch.Tensor, generator: torch.Generator) -> int:
    """A token drawn from softmax(scores), fp32 `[vocabulary]`, in fp64."""
    cumulative = scores.double().softmax(-1).cumsum(-1)
    drawn = torch.rand((), generator=generator, dtype=torch.float64).to(cumulative.device) * cumulative[-1]
    return int(torch.searchsorted(cumulative, drawn, right=True).clamp(max=cumulative.numel() - 1))


def _key(request: GenerateRequest) -> str:
    """The same for requests that are decoded alike, whatever their prompts and seeds."""
    return repr((request.temperature, request.top_p, sorted(request.settings.items())))


def _context(model: Any) -> int | None:
    config = model.config.get_text_config()
    return next((value for key in KEYS if isinstance(value := getattr(config, key, None), int)), None)
