"""A backend whose engine is in a worker: the contract on this side, the protocol on the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from backends.contract import (
    Capabilities,
    Feed,
    GenerateRequest,
    Generation,
    Score,
    ScoreRequest,
    Step,
    Tokenizer,
)
from backends.packing.score import check_score
from backends.workers.answering import BROKE, Answering
from backends.workers.coding import Request, generation_of, request_as_json, score_of
from backends.workers.face import Asked
from backends.workers.sharing import chunks
from zoo.errors import UnsupportedRequest

log = logging.getLogger(__name__)

MOST_TOKENS = 1 << 20
"""Of requests that are sent together: beyond it an engine shares and schedules no better, and a crash cuts off more."""
TOLD_TOKENS = 12
"""Of a request that is named, from its end."""


class WorkerBackend:
    """A `StreamingBackend` over one worker. Its threads are its caller's: one at a time, but for `stop`."""

    def __init__(self, worker: Asked, tokenizer: Tokenizer) -> None:
        told = worker.described
        self.worker = worker
        self.tokenizer = tokenizer
        self.name = worker.name
        self.device = str(told["device"])
        self.place = f"{told['host']}:{self.device}" if told.get("host") else self.device
        """The device, with its machine where that is another."""
        self.dtype = str(told["dtype"])
        compute_dtype = told.get("compute_dtype")
        self.compute_dtype = str(compute_dtype) if compute_dtype else None
        self.versions: Mapping[str, str] = {str(name): str(text) for name, text in told["versions"].items()}
        self.shares_prefixes = told.get("shares_prefixes") is True
        self.notes = tuple(map(str, told.get("notes") or ()))
        """What the user is to know of the engine, in the worker's words."""
        self.capabilities = Capabilities(
            score=bool(told["score"]),
            generate=bool(told["generate"]),
            stream=bool(told["stream"]),
            max_length=int(told["max_length"]),
        )
        self._rows = int(told.get("vocabulary") or 0)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """See `Backend`. Requests that end the worker alone come out as RequestKills once all others are answered."""
        self.check_scores(requests)
        return self.asked(requests, chunks(requests, MOST_TOKENS))

    def generate(self, requests: Sequence[GenerateRequest]) -> Iterator[Generation]:
        """See `Backend`; settings that the engine does not follow are refused at the call."""
        self.check_texts(requests)
        return self.asked(requests, chunks(requests, MOST_TOKENS))

    def check_scores(self, requests: Sequence[ScoreRequest]) -> None:
        """What `score` refuses: ValueError for what does not fit or has a token id that the model does not have."""
        if not self.capabilities.score:
            raise UnsupportedRequest(f"The {self.name} backend gives no scores of this model.", "Take another.")
        for request in requests:
            check_score(request, self.capabilities.max_length)
            self._check_tokens(request.context)
            self._check_tokens(request.continuation)

    def check_texts(self, requests: Sequence[GenerateRequest]) -> None:
        """What `generate` refuses, the engine's own refusals included: it is asked about each kind of settings once."""
        if requests and not self.capabilities.generate:
            raise UnsupportedRequest(f"The {self.name} backend generates nothing with this model.", "Take another.")
        kinds: dict[str, GenerateRequest] = {}
        for request in requests:
            _check_generate(request, self.capabilities.max_length)
            self._check_tokens(request.prompt)
            kinds.setdefault(repr((request.stop, request.temperature, request.top_p, request.settings)), request)
        if not kinds:
            return
        try:
            self._ask_to_check(list(kinds.values()))
        except BROKE as error:
            log.warning("%s It is asked again in a fresh worker.", error.what)
            self.worker.renew()
            self._ask_to_check(list(kinds.values()))

    def _ask_to_check(self, requests: Sequence[GenerateRequest]) -> None:
        told = [request_as_json(index, request) for index, request in enumerate(requests)]
        for _ in self.worker.ask("check", requests=told):
            pass

    def stream(self, feed: Feed, room: int, length: int, clock: Callable[[], float]) -> Iterator[Step]:
        """See `StreamingBackend`. Times are the worker's own, by the clock that all processes of a machine share."""
        shift = clock() - time.monotonic()
        with closing(self.worker.ask("stream", room=room, length=length)) as messages:
            for message in messages:
                if wanted := message.get("take"):
                    given = feed.take(int(wanted["room"]), bool(wanted["idle"]))
                    told = None if given is None else [request_as_json(one.index, one) for one in given]
                    self.worker.feed(told)
                    continue
                step = message.get("step")
                if step is None:
                    raise self.worker.garbled("a step")
                yield Step(float(step["time"]) + shift, tuple((int(i), int(token)) for i, token in step["tokens"]))

    def peak_memory(self, reset: bool = False) -> int | None:
        """Peak bytes of the engine's own allocator since the last reset; None where it keeps no count."""
        (answer,) = (message["answer"] for message in self.worker.ask("peak_memory", reset=reset))
        told = answer.get("bytes")
        return None if told is None else int(told)

    def stop(self) -> None:
        """End a wait for this worker in another thread (`Stopped` there)."""
        self.worker.stop()

    def close(self) -> None:
        """End the process, and with it all memory that it holds."""
        self.worker.close()

    def asked(self, requests: Sequence[Any], groups: Sequence[Sequence[int]]) -> Answering[Any]:
        """The answers to those of `requests`, all of one kind and checked, whose places `groups` hold, asked group by group."""
        scores = isinstance(requests[0], ScoreRequest) if requests else True
        op, read = ("score", score_of) if scores else ("generate", generation_of)
        return Answering(
            self.worker, op, _Told(requests), groups, read, lambda place: self._named(place, requests[place])
        )

    def _check_tokens(self, tokens: Sequence[int]) -> None:
        """An engine may die of a token id that the embedding does not have, and its next call never return."""
        if tokens and self._rows and not 0 <= min(tokens) <= max(tokens) < self._rows:
            raise ValueError(
                f"token ids {min(tokens)} to {max(tokens)} are not all among the {self._rows} of the embedding"
            )

    def _named(self, place: int, request: Request) -> str:
        tokens = request.prompt if isinstance(request, GenerateRequest) else request.context + request.continuation
        text = self.tokenizer.decode(tokens[-TOLD_TOKENS:], skip_special_tokens=False)
        return f"request {place}, {len(tokens):,} tokens that end in {text!r}"


class _Told(Sequence[Mapping[str, Any]]):
    """The requests as JSON values, made as each is sent: a call may have a gigabyte of them."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self._requests = requests

    def __len__(self) -> int:
        return len(self._requests)

    def __getitem__(self, place: Any) -> Any:
        return request_as_json(place, self._requests[place])


def _check_generate(request: GenerateRequest, max_length: int) -> None:
    if not request.prompt:
        raise ValueError("a generate request needs at least one token of prompt")
    if len(request.prompt) + request.max_new_tokens > max_length:
        raise ValueError(f"{len(request.prompt)} + {request.max_new_tokens} tokens do not fit into {max_length}")
