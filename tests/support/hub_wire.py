"""How the emulated hub writes: files whole, in part, slowly or broken off; refusals with the hub's own headers."""

from __future__ import annotations

import json
import re
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from support.hub_repository import Repository

if TYPE_CHECKING:
    from support.fake_hub import FakeHub

PIECE = 1 << 16
"""Bytes of a file that are written at once."""


class Wire(BaseHTTPRequestHandler):
    """One connection of a client."""

    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _write(self, repository: Repository, content: bytes, headers: dict[str, str], large: bool = False) -> None:
        """Send a file, or the rest of it that a Range asks for, as far as the hub's behaviours let it."""
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if repository.ranges else None
        stop = len(content)
        if wanted:
            self.hub.ranges.append(wanted[0])
            start, stop = int(wanted[1]), int(wanted[2]) + 1 if wanted[2] else stop
            if start >= len(content):
                self._refuse(416, None, "Range not satisfiable", {"Content-Range": f"bytes */{len(content)}"})
                return
            headers = {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
        self.send_response(206 if wanted else 200)
        for key, text in headers.items():
            self.send_header(key, text)
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        sent = 0
        for at in range(start, stop, PIECE):
            piece = content[at : min(at + PIECE, stop)]
            if large and repository.pause:
                time.sleep(repository.pause)
            if large and repository.hang_after is not None and sent + len(piece) > repository.hang_after:
                self.hub.stopped.wait(60)
                self._hang_up()
                return
            if (
                large
                and repository.drop_after is not None
                and repository.drops != 0
                and sent + len(piece) > repository.drop_after
            ):
                self._send(piece[: repository.drop_after - sent])
                repository.drops = None if repository.drops is None else repository.drops - 1
                self._hang_up()
                return
            if not self._send_within_limit(piece):
                return
            sent += len(piece)

    def _send_within_limit(self, piece: bytes) -> bool:
        """Send; False where that brought the whole hub down."""
        hub = self.hub
        if hub.breaks_after is not None and hub.sent + len(piece) > hub.breaks_after:
            self._send(piece[: hub.breaks_after - hub.sent])
            hub.down = True
            self._hang_up()
            return False
        hub.sent += len(piece)
        return self._send(piece)

    def _send(self, piece: bytes) -> bool:
        try:
            self.wfile.write(piece)
        except OSError:  # the client went away
            self.close_connection = True
            return False
        return True

    def _hang_up(self) -> None:
        self.close_connection = True
        try:
            self.wfile.flush()
            self.connection.shutdown(2)
        except OSError:
            pass
        self.connection.close()

    def _redirect(self, status: int, where: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, text in {**(headers or {}), "Location": where, "Content-Length": "0"}.items():
            self.send_header(key, text)
        self.end_headers()

    def _refuse(self, status: int, code: str | None, message: str, headers: dict[str, str] | None = None) -> None:
        own = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
        self._json({"error": message}, status, {**own, **(headers or {})})

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        for key, text in {"Content-Type": "application/json; charset=utf-8", **(headers or {})}.items():
            self.send_header(key, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self._send(content)
