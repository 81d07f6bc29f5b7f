"""Streaming from a server: a connection a request, each event's tokens with the time at which they were here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

from backends.contract import Feed, Step, StreamRequest
from backends.openai.client import Refusal
from backends.openai.rows import NoRows
from backends.openai.served import PATH, Server, checked_ids
from zoo.errors import ServerRefused

LOOK = 0.002
"""Seconds after which new arrivals are looked for while others stream."""
Heard = Step | BaseException | None
"""What a connection tells: tokens, a fault, or that it is done."""


def streamed(server: Server, vocabulary: int, feed: Feed, room: int, clock: Callable[[], float]) -> Iterator[Step]:
    """Yield each event's tokens in the order in which they came; see `StreamingBackend.stream`.

    The server does not wait for a step to be taken. Nothing is asked twice: a broken stream is an error, for its times are of
    no use. Raises what `Client.events` raises, and ServerFailing for another number of tokens than was asked.
    """
    heard: SimpleQueue[Heard] = SimpleQueue()
    active = 0
    try:
        while True:
            arrived = feed.take(room - active, active == 0)
            if arrived is None and active == 0:
                return
            for request in arrived or ():
                active += 1
                threading.Thread(target=_listen, args=(server, vocabulary, request, clock, heard), daemon=True).start()
            for each in _told(heard, active):
                if isinstance(each, BaseException):
                    raise each
                if each is None:
                    active -= 1
                else:
                    yield each
    finally:
        if active:
            server.client.give_up()


def _told(heard: SimpleQueue[Heard], active: int) -> Iterator[Heard]:
    """What was told by now, after a short wait for the first of it."""
    try:
        if active:
            yield heard.get(timeout=LOOK)
        while True:
            yield heard.get_nowait()
    except Empty:
        return


def _listen(
    server: Server, vocabulary: int, request: StreamRequest, clock: Callable[[], float], heard: SimpleQueue[Heard]
) -> None:
    """Read one request's stream on a connection of this thread."""
    try:
        _read(server, vocabulary, request, clock, heard)
        heard.put(None)
    except Refusal as refusal:
        said = f"{server.client.endpoint.shown} refuses to stream with {refusal.status} ({refusal.said})."
        heard.put(ServerRefused(said, "Look at the server's log."))
    except NoRows as reason:
        heard.put(server.broken(f"is of another vocabulary: {reason}"))
    except BaseException as error:  # whatever it is, the thread that waits for this one must know
        heard.put(error)
    finally:
        server.client.close_own()


def _read(
    server: Server, vocabulary: int, request: StreamRequest, clock: Callable[[], float], heard: SimpleQueue[Heard]
) -> None:
    endless = {server.dialect.endless: True} if server.dialect.endless else {}
    body = server.body(
        request.prompt,
        request.new_tokens,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
        **endless,
    )
    came, usage = 0, None
    for event in server.client.events(PATH, body):
        now = clock()
        if (error := event.get("error")) is not None:
            raise server.broken(f"says in the midst of a stream: {server.client.endpoint.redacted(str(error))[:200]}")
        usage = event.get("usage") or usage
        tokens = _tokens(event, vocabulary)
        came += len(tokens)
        if tokens:
            heard.put(Step(now, tuple((request.index, token) for token in tokens)))
    if came != request.new_tokens:
        raise server.broken(f"streamed {came:,} tokens where {request.new_tokens:,} were asked")
    server.check_prompt(request.prompt, usage)


def _tokens(event: dict[str, Any], vocabulary: int) -> tuple[int, ...]:
    choices = event.get("choices")
    if not isinstance(choices, list) or not choices:
        return ()
    return checked_ids(choices[0].get("token_ids") or [], vocabulary)
