"""Scores by vLLM: one request of the engine a prompt, its prefix cache on, and every row checked. Runs in its interpreter.

A sequence without its last token is a prompt of the engine. What stands inside it is asked by prompt log-probabilities; the
last token by the log-probability of chosen ids at the one token that vLLM generates, so that choices of one token each are
one request together. vLLM's rows before the end of what its prefix cache gave are uninitialised memory
(vllm-project/vllm#42019): a request whose asked rows reach there is asked again without the cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vllm_queue import Job, Queue
from wire import Refused, as_json

ENDS_AT_ONCE = 128
"""Last tokens of one prompt that vLLM tells the log-probability of together (its MAX_LOGPROB_TOKEN_IDS)."""
BLOCKS_WORTH_IT = 2
"""Whole blocks that a context must have to be computed by itself first, without the head."""


@dataclass
class Member:
    """A score request of the caller: where its continuation begins in the prompt, and its last token."""

    index: int
    begins: int
    last: int
    per_token: bool


@dataclass
class Asked:
    """The requests that one prompt answers."""

    tokens: tuple[int, ...]
    members: list[Member] = field(default_factory=list)

    @property
    def first(self) -> int | None:
        """The first token of the prompt whose log-probability is asked; None where none is inside it."""
        return min((m.begins for m in self.members if m.begins < len(self.tokens)), default=None)

    @property
    def ends(self) -> list[int]:
        """The different last tokens, in a fixed order."""
        return sorted({member.last for member in self.members})


@dataclass
class Counts:
    """What scoring did since the engine was opened."""

    prompts: int = 0
    tokens: int = 0
    cached_tokens: int = 0
    asked_again: int = 0


def asked_prompts(requests: Sequence[Mapping[str, Any]]) -> list[Asked]:
    """The prompts of score requests in the order of their tokens, so that what shares a beginning stands together."""
    prompts: dict[tuple[int, ...], list[Member]] = {}
    for request in requests:
        context, continuation = tuple(request["context"]), tuple(request["continuation"])
        if not context or not continuation:
            raise Refused("input", "a score request needs at least one token of context and one of continuation")
        member = Member(request["index"], len(context), continuation[-1], bool(request.get("per_token")))
        prompts.setdefault((context + continuation)[:-1], []).append(member)
    return [part for tokens in sorted(prompts) for part in _parts(tokens, prompts[tokens])]


def _parts(tokens: tuple[int, ...], members: list[Member]) -> Iterator[Asked]:
    """One prompt's requests, in parts of as many different last tokens as vLLM tells of together."""
    ends = sorted({member.last for member in members})
    for start in range(0, len(ends), ENDS_AT_ONCE):
        chosen = set(ends[start : start + ENDS_AT_ONCE])
        yield Asked(tokens, [member for member in members if member.last in chosen])


class Scoring:
    """Asks an engine for scores."""

    def __init__(self, queue: Queue, sampling_params: Any, cached: bool) -> None:
        """`cached` is whether the engine was opened with its prefix cache."""
        self._queue, self._params, self._cached = queue, sampling_params, cached
        self.counts = Counts()

    def scores(self, requests: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield each request's answer. What an earlier call left in the prefix cache is dropped first.

        So the same call gives the same rows by the same ways, however often it is made.
        """
        prompts = asked_prompts(requests)
        if self._cached:
            self._queue.engine.reset_prefix_cache()
        again: list[Asked] = []
        for job, output in self._queue.finished(self._jobs(prompts)):
            asked: Asked | None = job.purpose
            self._count(job, output)
            if asked is None:
                continue
            if behind_cache(asked, output.num_cached_tokens or 0):
                yield from answers(asked, output)
            else:
                again.append(asked)
        self.counts.asked_again += len(again)
        for job, output in self._queue.finished(self._job(asked, cached=False) for asked in again):
            self._count(job, output)
            if not behind_cache(job.purpose, output.num_cached_tokens or 0):
                raise Refused("engine", "vLLM read its prefix cache for a request that forbade it")
            yield from answers(job.purpose, output)

    def _jobs(self, prompts: Sequence[Asked]) -> Iterator[Job]:
        """The engine's requests, a shared context before what needs it.

        vLLM puts the head over every row of a prompt whose log-probabilities are asked. So a context that is long enough is
        computed as a request that asks for nothing, and those that follow find it in the cache.
        """
        sent: tuple[int, ...] = ()
        for asked in prompts:
            shared = self._shared(asked)
            if shared and asked.tokens[:shared] != sent[:shared]:
                yield Job(asked.tokens[:shared], self._params(max_tokens=1, temperature=0.0, detokenize=False))
            sent = asked.tokens
            yield self._job(asked, self._cached)

    def _shared(self, asked: Asked) -> int:
        """Tokens of whole blocks before the first row that is asked; 0 where they are not worth a request."""
        if not self._cached or asked.first is None:
            return 0
        blocks = (asked.first - 1) // self._queue.block_size
        return blocks * self._queue.block_size if blocks >= BLOCKS_WORTH_IT else 0

    def _job(self, asked: Asked, cached: bool) -> Job:
        params = self._params(
            max_tokens=1,
            temperature=0.0,
            detokenize=False,
            flat_logprobs=True,
            logprob_token_ids=asked.ends,
            prompt_logprobs=None if asked.first is None else 1,
            skip_reading_prefix_cache=not cached,
        )
        return Job(asked.tokens, params, asked)

    def _count(self, job: Job, output: Any) -> None:
        self.counts.prompts += 1
        self.counts.tokens += len(job.tokens)
        self.counts.cached_tokens += output.num_cached_tokens or 0


def behind_cache(asked: Asked, cached: int) -> bool:
    """Whether every row that is asked was computed: the row before a token gives its log-probability."""
    return asked.first is None or cached < asked.first


def answers(asked: Asked, output: Any) -> Iterator[dict[str, Any]]:
    """Each request's answer from the output of its prompt."""
    rows = prompt_rows(asked, output)
    ends = last_rows(asked, output)
    for member in asked.members:
        values = [*rows[member.begins :], ends[member.last]]
        logprobs = [logprob for logprob, _ in values]
        finite = all(map(math.isfinite, logprobs))
        yield {
            "index": member.index,
            "logprob": math.fsum(logprobs) if finite else None,
            "finite": finite,
            "greedy": all(best for _, best in values),
            "token_logprobs": [as_json(logprob) for logprob in logprobs] if member.per_token else None,
        }


def prompt_rows(asked: Asked, output: Any) -> list[tuple[float, bool]]:
    """(log p, most probable) of each token of the prompt; entries before the first that is asked mean nothing.

    Refused where the rows do not stand for the tokens of the prompt: a missing or moved row would be another token's.
    """
    nothing = [(0.0, False)] * len(asked.tokens)
    if asked.first is None:
        return nothing
    flat = output.prompt_logprobs
    missing = len(asked.tokens) - (len(flat) if flat is not None else 0)
    if flat is None or missing not in (0, output.num_cached_tokens or 0):
        raise Refused(
            "engine", f"vLLM told {len(asked.tokens) - missing} rows of a prompt of {len(asked.tokens)} tokens"
        )
    for position in range(asked.first, len(asked.tokens)):
        start = flat.start_indices[position - missing]
        if flat.token_ids[start] != asked.tokens[position]:
            raise Refused("engine", f"vLLM's row {position} is not about the token that stands there")
        nothing[position] = flat.logprobs[start], _is_best(flat, start)
    return nothing


def _is_best(flat: Any, start: int) -> bool:
    """Whether a row's token is the most probable one; of equals the one with the lowest id, as argmax takes it.

    vLLM's rank counts the equals too, so a token that is first among them has not rank 1.
    """
    if flat.ranks[start] == 1:
        return True
    equal = flat.logprobs[start] == flat.logprobs[start + 1]
    return equal and flat.token_ids[start] <= flat.token_ids[start + 1]


def last_rows(asked: Asked, output: Any) -> dict[int, tuple[float, bool]]:
    """The last tokens → (log p, most probable), from the row of the token that vLLM generated."""
    flat = output.outputs[0].logprobs
    ends = asked.ends
    told = flat.token_ids[1 : len(ends) + 1]
    if len(flat) != 1 or told != ends:
        raise Refused("engine", "vLLM did not tell the log-probabilities of the ids that were asked")
    generated = output.outputs[0].token_ids[0]
    return {end: (flat.logprobs[at], end == generated) for at, end in enumerate(ends, 1)}
