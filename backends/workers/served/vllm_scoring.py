"""Scores by vLLM: one request of the engine a prompt, its prefix cache on, and every row checked. Runs in its interpreter.

A sequence without its last token is a prompt of the engine. What stands inside it is asked by prompt log-probabilities; the
last token by the log-probability of chosen ids at the one token that vLLM generates, so that choices of one token each are
one request together. vLLM's rows before the end of what its prefix cache gave are uninitialised memory
(vllm-project/vllm#42019): a request whose asked rows reach there is asked again without the cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vllm_asked import Asked, asked_prompts, behind_cache, row_answers
from vllm_chosen import chosen_answers, chosen_params
from vllm_queue import Job, Queue
from wire import Refused

BLOCKS_WORTH_IT = 2
"""Whole blocks that a context must have to be computed by itself first, without the head."""

Way = Literal["chosen", "cached rows", "rows"]
"""By chosen ids; by rows, the prefix cache on; by rows without it. What one way leaves unanswered goes the next."""


@dataclass
class Counts:
    """What scoring did since the engine was opened."""

    prompts: int = 0
    tokens: int = 0
    cached_tokens: int = 0
    asked_again: int = 0

    @property
    def told(self) -> str:
        """The counts as a sentence."""
        return (
            f"scored: {self.prompts:,} prompts, {self.tokens:,} tokens, {self.cached_tokens:,} of them from the prefix cache, "
            f"{self.asked_again:,} prompts asked again"
        )


class Scoring:
    """Asks an engine for scores."""

    def __init__(self, queue: Queue, sampling_params: Any, cached: bool, chosen: bool = False) -> None:
        """`cached`: the engine was opened with its prefix cache. `chosen`: it tells the scores of chosen ids of a prompt."""
        self._queue, self._params, self._cached = queue, sampling_params, cached
        rows: tuple[Way, ...] = ("cached rows", "rows") if cached else ("rows",)
        self._ways: tuple[Way, ...] = ("chosen", *rows) if chosen else rows
        self.counts = Counts()

    def scores(self, requests: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield each request's answer. What an earlier call left in the prefix cache is dropped first.

        So the same call gives the same rows by the same ways, however often it is made.
        """
        left = asked_prompts(requests)
        if self._cached:
            self._queue.engine.reset_prefix_cache()
        for way in self._ways:
            again: list[Asked] = []
            for job, output in self._queue.finished(self._jobs(left, way)):
                self._count(job, output)
                if job.purpose is not None:
                    answers, unanswered = self._answered(job.purpose, output, way)
                    yield from answers
                    again += [unanswered] if unanswered else []
            left = sorted(again, key=lambda asked: asked.tokens)
            self.counts.asked_again += len(left)
        if left:
            raise Refused("engine", "vLLM read its prefix cache for a request that forbade it")

    def _answered(self, asked: Asked, output: Any, way: Way) -> tuple[Sequence[dict[str, Any]], Asked | None]:
        """The answers that the output of a prompt gives, and what it leaves open."""
        if way == "chosen":
            return chosen_answers(asked, output)
        if behind_cache(asked, output.num_cached_tokens or 0):
            return list(row_answers(asked, output)), None
        return [], asked

    def _jobs(self, prompts: Sequence[Asked], way: Way) -> Iterator[Job]:
        """The engine's requests, a shared context before what needs it.

        vLLM puts the head over every row of a prompt whose log-probabilities are asked. So a context that is long enough is
        computed as a request that asks for nothing, and those that follow find it in the cache.
        """
        sent: tuple[int, ...] = ()
        for asked in prompts:
            shared = self._shared(asked) if way == "cached rows" else 0
            if shared and asked.tokens[:shared] != sent[:shared]:
                yield Job(asked.tokens[:shared], self._params(max_tokens=1, temperature=0.0, detokenize=False))
            sent = asked.tokens
            yield self._job(asked, way)

    def _shared(self, asked: Asked) -> int:
        """Tokens of whole blocks before the first row that is asked; 0 where they are not worth a request."""
        if asked.first is None:
            return 0
        blocks = (asked.first - 1) // self._queue.block_size
        return blocks * self._queue.block_size if blocks >= BLOCKS_WORTH_IT else 0

    def _job(self, asked: Asked, way: Way) -> Job:
        rows = None if asked.first is None else 1
        params = self._params(
            max_tokens=1,
            temperature=0.0,
            detokenize=False,
            flat_logprobs=True,
            logprob_token_ids=asked.ends,
            skip_reading_prefix_cache=way == "rows" or not self._cached,
            **(chosen_params(asked) if way == "chosen" else {"prompt_logprobs": rows}),
        )
        return Job(asked.tokens, params, asked)

    def _count(self, job: Job, output: Any) -> None:
        self.counts.prompts += 1
        self.counts.tokens += len(job.tokens)
        self.counts.cached_tokens += output.num_cached_tokens or 0
