"""Text and token times by vLLM, its steps driven one by one. Runs in vLLM's interpreter.

The parent has settled what counts before what (the request, generation_config.json, transformers' defaults): here a
request's `settings` are vLLM's own names, and vLLM reads no generation_config.json.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from vllm_queue import Job, Queue
from wire import Refused

FOLLOWED = frozenset({"top_k", "min_p", "repetition_penalty", "min_tokens", "stop_token_ids"})
"""What `settings` of a request may name."""
SEEDS = (1 << 63) - 1
"""vLLM takes -1 for no seed at all, so seeds are brought into what is left."""

Take = Callable[[int, bool], Sequence[Mapping[str, Any]] | None]


class StopStrings:
    """Whether new tokens hold one of a request's stop strings near their end; the last tokens alone are decoded."""

    def __init__(self, tokenizer: Any, stop: Sequence[str]) -> None:
        self._tokenizer, self._stop = tokenizer, tuple(stop)
        # A token holds at least one byte, so a stop string cannot span more tokens than it has bytes.
        self._window = 2 + max((len(text.encode()) for text in self._stop), default=0)

    def __call__(self, tokens: Sequence[int]) -> bool:
        """Whether the newest of these tokens complete a stop string."""
        if not self._stop:
            return False
        text = self._tokenizer.decode(list(tokens[-self._window :]), skip_special_tokens=False)
        return any(stop in text for stop in self._stop)


class Text:
    """A sequence while it grows."""

    def __init__(self, request: Mapping[str, Any], stops: StopStrings, ends: Sequence[int]) -> None:
        self.index: int = request["index"]
        self.most: int = request["max_new_tokens"]
        self.tokens: list[int] = []
        self.finite = True
        self._stops, self._ends = stops, set(ends)

    def take(self, tokens: Sequence[int], logprobs: Sequence[float]) -> bool:
        """Add what a step brought, token by token; whether the sequence is over."""
        for token, logprob in zip(tokens, logprobs, strict=True):
            self.tokens.append(token)
            self.finite &= math.isfinite(logprob)
            if not self.finite or len(self.tokens) >= self.most or token in self._ends or self._stops(self.tokens):
                return True
        return False

    def answer(self) -> dict[str, Any]:
        """The generation, with the token that ended it still last."""
        full = len(self.tokens) >= self.most and self.tokens[-1] not in self._ends
        finish = "length" if full else "stop"
        return {"index": self.index, "tokens": self.tokens, "finish": finish, "times": None, "finite": self.finite}


def generations(
    queue: Queue, sampling_params: Any, tokenizer: Any, requests: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield each request's new tokens as it ends. Log-probabilities are asked for to see logits that are not finite."""
    flying = {queue.send(job) for job in [_text_job(sampling_params, tokenizer, request) for request in requests]}
    try:
        while flying:
            for number, job, output in queue.step():
                step = output.outputs[0]
                over = job.purpose.take(step.token_ids, [row[token].logprob for row, token in _rows(step)])
                if over or output.finished:
                    queue.stop([number])
                    flying.discard(number)
                    yield job.purpose.answer()
    finally:
        queue.stop(flying)


def _rows(step: Any) -> Iterator[tuple[Any, int]]:
    return zip(step.logprobs, step.token_ids, strict=True)


def _text_job(sampling_params: Any, tokenizer: Any, request: Mapping[str, Any]) -> Job:
    settings = dict(request.get("settings") or {})
    if others := settings.keys() - FOLLOWED:
        raise Refused("unsupported", f"{', '.join(sorted(others))} is not followed by vLLM's worker")
    if request.get("stop") and tokenizer is None:
        raise Refused("unsupported", "a model without a tokenizer has no stop strings")
    ends = settings.get("stop_token_ids") or []
    sampled = request.get("temperature", 0.0) > 0
    params = sampling_params(
        max_tokens=request["max_new_tokens"],
        temperature=request.get("temperature", 0.0),
        top_p=(request.get("top_p") or 1.0) if sampled else 1.0,
        seed=request.get("seed", 0) & SEEDS if sampled else None,
        ignore_eos=True,
        detokenize=False,
        logprobs=0,
        output_kind=delta(),
        **settings,
    )
    return Job(tuple(request["prompt"]), params, Text(request, StopStrings(tokenizer, request.get("stop") or ()), ends))


def streamed(queue: Queue, sampling_params: Any, take: Take, room: int, length: int) -> Iterator[dict[str, Any]]:
    """Yield the tokens of each step with the time at which they were there, exactly as many a request as it asks for.

    The prefix cache is left aside: a prompt that was measured before would else cost nothing the second time. Refused where
    so many sequences do not fit at once, for vLLM would let some wait, or throw one out and compute it again, without a word.
    """
    if room > queue.at_once:
        raise Refused("memory", f"vLLM was opened for {queue.at_once} sequences at once, and {room} are asked")
    if room * queue.blocks_of(length) > queue.blocks:
        held = queue.blocks * queue.block_size
        raise Refused(
            "memory", f"out of memory: {room} sequences of {length} tokens, and the cache holds {held} tokens"
        )
    flying: dict[str, int] = {}
    more = True
    try:
        while more or flying:
            arrived = take(room - len(flying), not flying) if more else ()
            more = arrived is not None
            for request in arrived or ():
                flying[queue.send(_stream_job(sampling_params, request))] = request["index"]
            if not flying:
                continue
            outputs = list(queue.step())
            now = time.monotonic()
            tokens = [[flying[number], token] for number, _, output in outputs for token in output.outputs[0].token_ids]
            for number, _, output in outputs:
                if output.finished:
                    del flying[number]
            if tokens:
                yield {"time": now, "tokens": tokens}
    finally:
        queue.stop(flying)


def _stream_job(sampling_params: Any, request: Mapping[str, Any]) -> Job:
    count = request["new_tokens"]
    params = sampling_params(
        max_tokens=count,
        temperature=0.0,
        ignore_eos=True,
        detokenize=False,
        output_kind=delta(),
        skip_reading_prefix_cache=True,
    )
    return Job(tuple(request["prompt"]), params, request["index"])


def delta() -> Any:
    """vLLM's word for outputs that hold the new tokens alone."""
    return importlib.import_module("vllm.sampling_params").RequestOutputKind.DELTA
