"""A hub on this machine: as much of huggingface.co's interface as fetching a data set's Parquet export or a model takes."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

COMMIT = "c0ffee" + "0" * 34


def parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    """The rows as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


@dataclass
class FakeHub:
    """What it holds (data set or model → path → bytes), how it behaves, and what it was asked for."""

    exports: dict[str, dict[str, bytes]]
    licences: dict[str, str] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    breaks_after: int | None = None
    """Bytes of file content after which it goes down for good."""
    asked: list[str] = field(default_factory=list)
    """Every file that was asked for."""
    sent: int = 0
    down: bool = False

    def __enter__(self) -> FakeHub:
        hub = self
        handler = type("Handler", (_Handler,), {"hub": hub})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        if self.hub.down:
            self.close_connection = True
            self.connection.close()
            return
        path = unquote(urlsplit(self.path).path).strip("/").split("/")
        api = path[0] == "api"
        if not api and path[0] != "datasets":  # the files of a model have no word before its owner
            path = ["models", *path]
        name = "/".join(path[2:4] if api else path[1:3])
        if name not in self.hub.exports:
            self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        elif name in self.hub.gated and not (api and len(path) == 4):
            self._json({"error": "gated"}, 403, {"X-Error-Code": "GatedRepo"})
        elif api and len(path) > 4 and path[4] == "tree":
            files = self.hub.exports[name].items()
            self._json([{"type": "file", "path": p, "size": len(c), "oid": _etag(c)} for p, c in files])
        elif api:
            card = {"license": self.hub.licences[name]} if name in self.hub.licences else {}
            self._json({"id": name, "sha": COMMIT, "cardData": card, "siblings": []})
        else:
            self._file("/".join(path[5:]), self.hub.exports[name], body)

    def _file(self, path: str, files: dict[str, bytes], body: bool) -> None:
        content = files[path]
        self.send_response(200)
        self.send_header("ETag", f'"{_etag(content)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not body:
            return
        self.hub.asked.append(path)
        if self.hub.breaks_after is not None and self.hub.sent + len(content) > self.hub.breaks_after:
            self.wfile.write(content[: self.hub.breaks_after - self.hub.sent])
            self.hub.down = self.close_connection = True
            return
        self.hub.sent += len(content)
        self.wfile.write(content)

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        for key, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(key, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


def _etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
