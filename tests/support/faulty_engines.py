"""Engines that do one thing wrong, by the id of the fault in backends/conformance/faults.yaml: each is around a right backend.

A right engine here asks the inner backend for every token's log p and hands on what was asked. A fault changes the request
on its way, the answer on its way back, or what is left between calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from backends.contract import GenerateRequest, Generation, Score, ScoreRequest, Step

FAULTS: dict[str, type[Engine]] = {}
BLOCK = 16
"""Tokens of a block of the prefix caches here."""


class Engine:
    """A right engine: the inner backend's answers, every token's log p read one by one."""

    name = "engine"

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.device, self.dtype, self.tokenizer = inner.device, inner.dtype, inner.tokenizer
        self.versions, self.capabilities = {"engine": "1.0"}, inner.capabilities
        self.compute_dtype = inner.compute_dtype
        self.seen: list[tuple[int, ...]] = []

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        answers = self.read(requests, self.inner.score([replace(r, per_token=True) for r in requests]))
        return (
            replace(answer, token_logprobs=answer.token_logprobs if requests[answer.index].per_token else None)
            for answer in answers
        )

    def read(self, requests: Sequence[ScoreRequest], answers: Iterator[Score]) -> Iterator[Score]:
        """The answers, read in the order of the requests; what was asked is remembered."""
        for answer in sorted(answers, key=lambda a: a.index):
            request = requests[answer.index]
            changed = self.answer(request, answer, requests)
            self.seen.append(request.context + request.continuation)
            if changed is not None:
                yield changed

    def answer(self, request: ScoreRequest, score: Score, call: Sequence[ScoreRequest]) -> Score | None:
        return with_series(score, self.series(request, list(score.token_logprobs or ())))

    def series(self, request: ScoreRequest, series: list[float]) -> list[float]:
        return series

    def whole(self, request: ScoreRequest) -> list[float]:
        """log p of every token but the first, of the whole sequence."""
        tokens = request.context + request.continuation
        (score,) = self.inner.score([ScoreRequest(tokens[:1], tokens[1:], per_token=True)])
        return list(score.token_logprobs)

    def cached(self, request: ScoreRequest) -> int:
        """Tokens of the sequence whose keys and values a prefix cache has, in whole blocks."""
        tokens = request.context + request.continuation
        return max((common(tokens, other) for other in self.seen), default=0) // BLOCK * BLOCK

    def generate(self, requests: Sequence[GenerateRequest]) -> Iterator[Generation]:
        return (self.made(requests[g.index], g) for g in self.inner.generate(self.asked(requests)))

    def asked(self, requests: Sequence[GenerateRequest]) -> list[GenerateRequest]:
        return list(requests)

    def made(self, request: GenerateRequest, generation: Generation) -> Generation:
        return generation

    def stream(self, feed: Any, room: int, length: int, clock: Callable[[], float]) -> Iterator[Step]:
        return self.inner.stream(feed, room, length, clock)

    def peak_memory(self, reset: bool = False) -> int | None:
        return self.inner.peak_memory(reset)

    def close(self) -> None:
        """The inner backend stays open for the next engine."""


def with_series(score: Score, series: list[float]) -> Score:
    return replace(score, logprob=sum(series), token_logprobs=tuple(series))


def common(one: Sequence[int], other: Sequence[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def fault(name: str) -> Callable[[type[Engine]], type[Engine]]:
    def register(kind: type[Engine]) -> type[Engine]:
        FAULTS[name] = kind
        return kind

    return register
