"""Requests to a server that serves a model: patient within bounds, each thread on a connection of its own."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from backends.openai.endpoint import KEY_OF_ENDPOINT, KEY_OF_OPENAI, Endpoint
from backends.openai.waiting import Waiting
from zoo.errors import ServerFailing, ServerRefused, ServerUnreachable, one_line

PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Status codes of what may be gone at the next try."""
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 600.0
"""Of silence: a long answer of a busy server says nothing until it is whole."""
LARGEST = 1 << 30
"""Bytes of an answer that are read at most."""
ASKED = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "minizoo"}


class Refusal(Exception):
    """A server's answer to a request that it does not take: not tried again."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said}")
        self.status, self.said = status, said


class Client:
    """Asks one server. Every answer is a JSON object or one of the errors in `zoo.errors.served`, or a `Refusal`.

    One a call of the backend: `give_up` ends what all its threads wait for, and after it nothing is asked any more.
    """

    def __init__(self, endpoint: Endpoint, waiting: Waiting | None = None) -> None:
        self.endpoint = endpoint
        self._waiting = waiting or Waiting()
        self._own = threading.local()
        self._open: set[http.client.HTTPConnection] = set()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._tls = ssl.create_default_context() if endpoint.scheme == "https" else None

    def fresh(self) -> Client:
        """Another one for the same server."""
        return Client(self.endpoint, self._waiting)

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object at a path below the server's root."""
        return self._patiently(lambda: self._answer("GET", path, None))

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that a request is answered with."""
        asked = json.dumps(body).encode()
        return self._patiently(lambda: self._answer("POST", path, asked))

    def events(self, path: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The JSON objects of a streamed answer, each as it arrives. Not tried again: its times would be of two tries."""
        try:
            response = self._send("POST", path, json.dumps(body).encode(), stream=True)
            self._check(response)
            ended = False
            for line in response:
                if line.startswith(b"data:"):
                    said = line[5:].strip()
                    if said == b"[DONE]":
                        ended = True
                        break
                    yield _object(said)
            if not ended:
                raise http.client.IncompleteRead(b"")
            response.read()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._drop()
            raise ServerUnreachable(
                f"{self.endpoint.shown} broke off while it streamed an answer ({_told(error)}).",
                "What was measured until then is not used: look at the server's log, and run it again.",
            ) from None
        except BaseException:
            self._drop()
            raise

    def close(self) -> None:
        """Close all connections. None may be in use: `give_up` is for those."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def close_own(self) -> None:
        """Close the calling thread's connection: it asks nothing more."""
        self._drop()

    def ask_no_more(self) -> None:
        """Let no thread ask or try again; answers that are waited for may still come."""
        self._over.set()

    def give_up(self) -> None:
        """Break off every answer that is waited for, and let no thread try again."""
        self.ask_no_more()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _patiently(self, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Ask until there is an answer, a refusal, or the limit of tries."""
        tries = 0
        while True:
            tries += 1
            wanted: float | None = None
            try:
                return ask()
            except ssl.SSLCertVerificationError as error:
                self._drop()
                raise ServerUnreachable(
                    f"The certificate of {self.endpoint.shown} cannot be verified ({_told(error)}).",
                    "Set SSL_CERT_FILE to the authority that signed it; verification cannot be turned off.",
                ) from None
            except Refusal as refusal:
                if refusal.status not in PASSING:
                    raise
                wanted, last = self._own.wanted, refusal
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._drop()
                last = error
            if self._over.is_set() or tries >= self._waiting.tries:
                raise self._exhausted(last, tries) from None
            self._over.wait(self._waiting.seconds(tries, wanted))

    def _exhausted(self, last: Exception, tries: int) -> ServerFailing | ServerUnreachable:
        kept = "What was answered is kept: once the server is well the same command goes on from there."
        if isinstance(last, Refusal):
            said = self.endpoint.redacted(last.said)
            return ServerFailing(
                f"{self.endpoint.shown} answered {last.status} at each of {tries} tries ({said}).", kept
            )
        if isinstance(last, ValueError):
            return ServerFailing(f"{self.endpoint.shown} broke its answer off at each of {tries} tries.", kept)
        return ServerUnreachable(
            f"{self.endpoint.shown} could not be asked at {tries} tries ({_told(last)}).",
            f"Check that the server runs and the address is right. {kept}",
        )

    def _answer(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        response = self._send(method, path, body)
        self._check(response)
        read = response.read(LARGEST)
        if not response.isclosed():  # the connection ended before the length that was told, or there is no end to it
            raise http.client.IncompleteRead(b"")
        return _object(read)

    def _send(self, method: str, path: str, body: bytes | None, stream: bool = False) -> http.client.HTTPResponse:
        if self._over.is_set():
            raise ConnectionAbortedError("given up")
        connection = self._connection()
        headers = {**ASKED, **({"Accept": "text/event-stream"} if stream else {})}
        if self.endpoint.key:
            headers["Authorization"] = f"Bearer {self.endpoint.key}"
        connection.request(method, self.endpoint.root + path, body, headers)
        return connection.getresponse()

    def _check(self, response: http.client.HTTPResponse) -> None:
        """Raise ServerRefused for a key or an address, Refusal for every other answer that is none."""
        if response.status == 200:
            return
        self._own.wanted = self._waiting.wanted(response.getheader("Retry-After"), time.time())
        said = self.endpoint.redacted(_error_of(response.read(1 << 16)))
        if response.will_close or not response.isclosed():
            self._drop()
        if response.status in (401, 403):
            held = "The key was refused" if self.endpoint.key else "No key was sent"
            raise ServerRefused(
                f"{self.endpoint.shown} answered {response.status}. {held} ({said}).",
                f"Put the server's key into {KEY_OF_ENDPOINT} (or {KEY_OF_OPENAI}, sent over https or to this machine).",
            )
        if 300 <= response.status < 400:
            raise ServerRefused(
                f"{self.endpoint.shown} sends on to another address, where no key is carried.",
                "Give that address as --endpoint.",
            )
        raise Refusal(response.status, said)

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if found is None:
            host, port = self.endpoint.host, self.endpoint.port
            if self._tls is not None:
                found = http.client.HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=self._tls)
            else:
                found = http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)
            found.connect()
            found.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            found.sock.settimeout(ANSWER_SECONDS)
            self._own.connection = found
            with self._lock:
                self._open.add(found)
        return found

    def _drop(self) -> None:
        found: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        self._own.connection = None
        if found is not None:
            with self._lock:
                self._open.discard(found)
            found.close()


def _object(read: bytes) -> dict[str, Any]:
    """A JSON object; ValueError for half of one, and for what is none."""
    found = json.loads(read)
    if not isinstance(found, dict):
        raise ValueError("an answer that is no JSON object")
    return found


def _error_of(read: bytes) -> str:
    """A server's own words about an error, in whichever of the usual forms."""
    try:
        told: Any = json.loads(read)
    except ValueError:
        return one_line(ValueError(read[:300].decode(errors="replace"))) or "no reason given"
    for name in ("error", "message", "detail"):
        if isinstance(told, dict) and name in told:
            told = told[name]
    if isinstance(told, dict):
        told = told.get("message", told)
    return one_line(ValueError(told)) or "no reason given"


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {one_line(error)}".removesuffix(": ")
