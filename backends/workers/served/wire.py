"""Messages between minizoo and a worker: a length, then a JSON object, over a Unix stream socket that nothing else writes to.

Both sides import this file, the worker by path in an interpreter that has no minizoo, so it uses the standard library alone.
The length is four bytes, big-endian; the text is UTF-8. Every message of the worker carries `"schema": SCHEMA`. A number that
is none never goes as bare JSON: `as_json` and `from_json` carry it as null, told by `"finite": false`.

    parent → worker                                              worker → parent
    {"op": "open", "folder", "options", "environment"}           {"opened": {...}}
    {"op": "check" | "score" | "generate", "id", "requests"}     {"id", "answer": {...}} …, {"id", "done": true}
    {"op": "stream", "id", "room", "length"}                     {"id", "take": {"room", "idle"}},
                                                                 {"id", "step": {"time", "tokens"}} …, {"id", "done": true}
    {"op": "feed", "id", "requests": [...] | null}               (the answer to `take`)
    {"op": "peak_memory", "id", "reset"}                         {"id", "answer": {"bytes"}}, {"id", "done": true}
    {"op": "cancel", "id"}                                       {"id", "done": true}, as soon as the engine yields
    {"op": "close"}                                              (the worker ends)
                                                                 {"error": {"kind", "text", …}, "id"?}
"""

from __future__ import annotations

import json
import math
import select
import socket
import struct
import threading
from typing import Any

SCHEMA = 1
"""Of the messages; a worker and a parent of two schemas refuse each other."""
MOST_BYTES = 1 << 28
"""Of one message. Text that lost its way onto the socket reads as a length beyond it."""
KINDS = ("input", "unsupported", "memory", "version", "missing", "engine", "told")
"""Of errors: a request that does not fit; what the engine cannot do; no memory; an engine of another version; none installed;
the engine raised; an error of minizoo's own, with its `code` and `hint`.
"""


class Refused(Exception):
    """What an engine file raises: the kind of error (`KINDS`), what happened in a sentence, and what else goes with it."""

    def __init__(self, kind: str, text: str, **more: Any) -> None:
        super().__init__(text)
        self.kind, self.text, self.more = kind, text, more


class Garbled(Exception):
    """What came is no message of this protocol."""


class Channel:
    """One end of the socket. `send` may be called by several threads, `receive` by one."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._sending = threading.Lock()
        self._come = bytearray()

    def send(self, message: dict[str, Any]) -> None:
        """Write one message; ValueError for a number that is none, OSError where nobody reads any more."""
        text = json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
        if len(text) > MOST_BYTES:
            raise ValueError(f"a message of {len(text):,} bytes is too long for a worker")
        with self._sending:
            self._socket.sendall(struct.pack(">I", len(text)) + text)

    def receive(self, seconds: float | None = None) -> dict[str, Any] | None:
        """The next message, None where the other side has gone; TimeoutError after `seconds` without one.

        What has come of a message by then is kept for the next call. Raises Garbled for what is no message.
        """
        while (length := self._expected()) is None or len(self._come) < length:
            if not self._arrives(seconds):
                raise TimeoutError
            try:
                come = self._socket.recv(1 << 16)
            except ConnectionError:
                return None
            if not come:
                return None
            self._come += come
        text = bytes(self._come[4:length])
        del self._come[:length]
        try:
            message = json.loads(text)
        except ValueError:
            raise Garbled(f"{text[:40]!r} is not JSON") from None
        if not isinstance(message, dict):
            raise Garbled(f"{text[:40]!r} is not a JSON object")
        return message  # pyright: ignore[reportUnknownVariableType]

    def close(self) -> None:
        """Close the socket; the other side then reads its end."""
        self._socket.close()

    def _arrives(self, seconds: float | None) -> bool:
        """Whether bytes, or the end, come within that time. No timeout is set on the socket: it would cut `send` short."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return bool(waiting.poll(None if seconds is None else seconds * 1000))

    def _expected(self) -> int | None:
        """Bytes of the message that is coming, its length included; None while the length itself is not there."""
        if len(self._come) < 4:
            return None
        (length,) = struct.unpack(">I", self._come[:4])
        if length > MOST_BYTES:
            raise Garbled(f"{bytes(self._come[:40])!r} is not a message")
        return 4 + length


def as_json(number: float) -> float | None:
    """A number as JSON takes it: None for one that is none."""
    return number if math.isfinite(number) else None


def from_json(number: float | None) -> float:
    """The number that `as_json` wrote; NaN for one that was none."""
    return math.nan if number is None else float(number)
