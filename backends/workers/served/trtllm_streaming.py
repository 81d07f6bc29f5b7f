"""Text and token times by TensorRT-LLM: `generate_async` in an event loop of a thread of its own. Runs in its interpreter.

The parent has settled what counts before what: decoding is greedy, and a request's `settings` name the tokens that end a text.
The engine is told to end nothing itself. It looks for stop strings as token sequences, and so misses those that are cut
otherwise in their context; here they are looked for in the text, and the request is then aborted.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from vllm_generating import StopStrings, Text
from wire import Refused

FOLLOWED = frozenset({"stop_token_ids"})
"""What `settings` of a request may name."""

Take = Callable[[int, bool], Sequence[Mapping[str, Any]] | None]


class News(NamedTuple):
    """What the engine's stream said of one request, and when."""

    key: int
    time: float
    tokens: list[int]
    logprobs: list[Any]
    over: bool
    error: BaseException | None = None


class Streams:
    """Requests of the engine in flight, each read as its tokens come."""

    def __init__(self, llm: Any) -> None:
        self._llm = llm
        self._keys = itertools.count()
        self._news: queue.Queue[News] = queue.Queue()
        self._results: dict[int, Any] = {}
        self._left: set[int] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def send(self, tokens: Sequence[int], params: Any, salt: str | None = None) -> int:
        """Give the engine a request; returns its key. A `salt` of its own keeps it from the blocks of every other request."""
        key = next(self._keys)
        asyncio.run_coroutine_threadsafe(self._read(key, list(tokens), params, salt), self._loop)
        return key

    def news(self) -> News:
        """The next news, waited for; what the engine raised is raised here."""
        while True:
            said = self._news.get()
            if said.key in self._left:
                self._left -= {said.key} if said.over else set()
                continue
            if said.error is not None:
                raise said.error
            return said

    def stop(self, keys: Iterable[int]) -> None:
        """Take requests out of the engine; nothing more is heard of them."""
        for key in keys:
            self._left.add(key)
            self._loop.call_soon_threadsafe(self._abort, key)

    def close(self) -> None:
        """Abort what is in flight, and end the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        for result in list(self._results.values()):
            result.abort()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _abort(self, key: int) -> None:
        result = self._results.get(key)
        if result is not None:
            result.abort()

    async def _read(self, key: int, tokens: list[int], params: Any, salt: str | None) -> None:
        try:
            result = self._llm.generate_async(tokens, params, streaming=True, cache_salt=salt)
            self._results[key] = result
            if key in self._left:
                result.abort()
            async for output in result:
                step, now = output.outputs[0], time.monotonic()
                new = list(step.token_ids_diff)
                logprobs = list(step.logprobs_diff or ())
                self._news.put(News(key, now, new, logprobs, False))
            self._news.put(News(key, time.monotonic(), [], [], True))
        except Exception as error:  # whatever the engine raises, for whoever waits
            self._news.put(News(key, time.monotonic(), [], [], True, error))
        finally:
            self._results.pop(key, None)


def check_settings(request: Mapping[str, Any], tokenizer: Any) -> None:
    """Refused for settings of a generate request that are not followed."""
    if others := (request.get("settings") or {}).keys() - FOLLOWED:
        raise Refused("unsupported", f"{', '.join(sorted(others))} is not followed by TensorRT-LLM's worker")
    if request.get("temperature", 0.0) > 0:
        raise Refused("unsupported", "TensorRT-LLM's sampler does not draw by a request's own seed")
    if request.get("stop") and tokenizer is None:
        raise Refused("unsupported", "a model without a tokenizer has no stop strings")


def generations(
    streams: Streams,
    sampling_params: Callable[..., Any],
    tokenizer: Any,
    requests: Sequence[Mapping[str, Any]],
    at_once: int,
) -> Iterator[dict[str, Any]]:
    """Yield each request's new tokens as it ends. Log-probabilities are asked for to see logits that are not finite."""
    waiting, flying = deque(requests), dict[int, Text]()
    try:
        while waiting or flying:
            while waiting and len(flying) < at_once:
                request = waiting.popleft()
                ends = (request.get("settings") or {}).get("stop_token_ids") or []
                params = _greedy(sampling_params, request["max_new_tokens"], logprobs=1)
                key = streams.send(request["prompt"], params)
                flying[key] = Text(request, StopStrings(tokenizer, request.get("stop") or ()), ends)
            said = streams.news()
            text = flying[said.key]
            if said.tokens and text.take(said.tokens, _own(said)):
                streams.stop([said.key])
            elif said.over:
                raise _short(len(text.tokens), text.most)
            else:
                continue
            del flying[said.key]
            yield text.answer()
    finally:
        streams.stop(flying)


def _own(said: News) -> list[float]:
    """log p of each new token. Refused where the engine told it of other tokens, or of fewer."""
    if len(said.logprobs) != len(said.tokens):
        raise Refused("engine", f"TensorRT-LLM told {len(said.logprobs)} rows of {len(said.tokens)} new tokens")
    found = [
        row.get(token) if isinstance(row, Mapping) else None
        for row, token in zip(said.logprobs, said.tokens, strict=True)
    ]
    if any(one is None for one in found):
        raise Refused("engine", "TensorRT-LLM's row of a new token lacks it")
    return [float(one.logprob) for one in found if one is not None]


def streamed(
    streams: Streams, sampling_params: Callable[..., Any], take: Take, room: int, at_once: int
) -> Iterator[dict[str, Any]]:
    """Yield tokens with the time at which the engine's stream gave them, exactly as many a request as it asks for.

    Each request has a salt of its own, so that no prompt is free because another was measured before. Refused where more are
    asked at once than the engine was opened for: it would let some wait without a word.
    """
    if room > at_once:
        raise Refused("memory", f"TensorRT-LLM was opened for {at_once} sequences at once, and {room} are asked")
    flying: dict[int, list[int]] = {}
    more, salts = True, itertools.count()
    began = time.monotonic_ns()
    try:
        while more or flying:
            arrived = take(room - len(flying), not flying) if more else ()
            more = arrived is not None
            for request in arrived or ():
                params = _greedy(sampling_params, request["new_tokens"])
                key = streams.send(request["prompt"], params, f"minizoo-{began}-{next(salts)}")
                flying[key] = [request["index"], request["new_tokens"]]
            if not flying:
                continue
            said = streams.news()
            one = flying[said.key]
            one[1] -= len(said.tokens)
            if one[1] < 0 or (said.over and one[1]):
                raise Refused("engine", "TensorRT-LLM's stream gave another number of tokens than was asked")
            if one[1] == 0:
                del flying[said.key]
                streams.stop([said.key])
            if said.tokens:
                yield {"time": said.time, "tokens": [[one[0], token] for token in said.tokens]}
    finally:
        streams.stop(flying)


def _greedy(sampling_params: Callable[..., Any], count: int, **more: Any) -> Any:
    return sampling_params(
        max_tokens=count,
        temperature=0.0,
        end_id=0,
        pad_id=0,
        ignore_eos=True,
        detokenize=False,
        add_special_tokens=False,
        **more,
    )


def _short(had: int, asked: int) -> Refused:
    return Refused("engine", f"TensorRT-LLM ended a text of itself after {had} of {asked} tokens")
