"""The check of streams: as many tokens as asked, those of a greedy generation, each at a moment after the one before."""

from __future__ import annotations

import time
from collections.abc import Sequence

from backends.conformance.outcome import Fail, Passed, Skip, passed
from backends.conformance.subject import Subject
from backends.contract import GenerateRequest, StreamingBackend, StreamRequest

NEW = 12
ROOM = 2
"""Requests that run at a time: fewer than there are, so that some join midway."""


class Queue:
    """A feed of requests that are all there."""

    def __init__(self, requests: Sequence[StreamRequest]) -> None:
        self._left = list(requests)

    def take(self, room: int, idle: bool) -> Sequence[StreamRequest] | None:
        """The next ones, None behind the last."""
        taken, self._left = self._left[:room], self._left[room:]
        return taken or (None if not self._left else [])


def streaming(subject: Subject) -> Passed:
    """Streamed tokens against generated ones; where a text ends the stream goes on."""
    backend = subject.backend
    if not isinstance(backend, StreamingBackend) or not backend.capabilities.stream:
        raise Skip("the backend does not stream")
    prompts = subject.sequences.prompts(4, NEW)
    requests = [StreamRequest(i, prompt, NEW - 2 * i) for i, prompt in enumerate(prompts)]
    streamed: dict[int, list[int]] = {request.index: [] for request in requests}
    before = started = time.monotonic()
    for step in backend.stream(Queue(requests), ROOM, max(map(len, prompts)) + NEW, time.monotonic):
        if step.time < before:
            raise Fail("a token is there before the one that came before it")
        before = step.time
        for index, token in step.tokens:
            if index not in streamed:
                raise Fail(f"a token came for request {index}, which was not asked")
            streamed[index].append(token)
    if before > time.monotonic() or before == started:
        raise Fail("the times of the tokens are not by the clock that was given")
    generated = subject.generations([GenerateRequest(r.prompt, r.new_tokens) for r in requests])
    for request, made in zip(requests, generated, strict=True):
        tokens = tuple(streamed[request.index])
        if len(tokens) != request.new_tokens:
            raise Fail(f"{request.new_tokens} tokens were asked of a stream, {len(tokens)} came")
        _judge(subject, request, tokens, made.tokens)
    return passed(f"{len(requests)} streams, {ROOM} at a time", streams=len(requests))


def _judge(subject: Subject, request: StreamRequest, tokens: tuple[int, ...], made: tuple[int, ...]) -> None:
    """Fail where a streamed token is another than the generated one, and the reference does not call it a near tie."""
    same = tokens[: len(made)] == made
    if same and len(made) == len(tokens):
        return
    try:
        rows = subject.known.rows(request.prompt + tokens)[len(request.prompt) - 1 :]
    except Skip:
        if same:
            return
        raise Fail(f"the stream of request {request.index} has other tokens than its generation") from None
    worst = max(row.behind for row in rows)
    if worst > subject.allowed_new.tie:
        raise Fail(
            f"a streamed token of request {request.index} is {worst:.3g} nats behind the most probable one",
            behind=worst,
        )
