"""A hub on this machine: models and data sets for the real clients, with every refusal and mishap of the real one.

In a test: `with FakeHub(repositories=[Repository("owner/name", files)]) as hub:`, and `hub.environment(folder)` for a command
run as a process. By hand, with tests/ on PYTHONPATH: `python -m support.fake_hub --serve FOLDER…` serves every
`FOLDER/models/<owner>/<name>` and `FOLDER/datasets/<owner>/<name>` and prints the line that makes it the hub.
"""

from __future__ import annotations

import argparse
import io
import threading
from collections.abc import Mapping, Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from support.hub_repository import COMMIT, EXPORT, Content, Kind, Repository, from_folder
from support.hub_server import Handler

__all__ = ["COMMIT", "EXPORT", "FakeHub", "Repository", "from_folder", "parquet"]


def parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    """The rows as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


class FakeHub:
    """What it holds, how it behaves, and what it was asked for.

    `exports` is the short form for repositories whose revision does not matter: id → path → bytes, a model and a data set
    alike, with its licence in `licences` and refusing every file where its id is in `gated`.
    """

    def __init__(
        self,
        exports: Mapping[str, Mapping[str, Content]] | None = None,
        licences: Mapping[str, str] | None = None,
        gated: set[str] | None = None,
        breaks_after: int | None = None,
        repositories: Sequence[Repository] = (),
    ) -> None:
        self.repositories = {(one.kind, one.id): one for one in repositories}
        for name, files in (exports or {}).items():
            card = {"license": licences[name]} if licences and name in licences else {}
            for kind in ("models", "datasets"):
                one = Repository(name, dict(files), kind, card=card, any_revision=True)
                one.gated = "manual" if name in (gated or set()) else None
                self.repositories[kind, name] = one
        self.breaks_after = breaks_after
        """Bytes of file content after which it goes down for good."""
        self.asked: list[str] = []
        """Every file whose content was asked for."""
        self.requests: list[str] = []
        """Every request: `GET /api/models/…`."""
        self.ranges: list[str] = []
        """Every Range that was asked for: `bytes=1000-`."""
        self.invalid_tokens: set[str | None] = set()
        self.page_size = 1000
        """Entries of a listing's page."""
        self.sent = 0
        self.down = False
        """While it is down, every connection is closed without an answer."""
        self.stopped = threading.Event()

    def find(self, kind: str, name: str) -> Repository | None:
        """The repository of that kind and name."""
        return self.repositories.get((kind, name))  # type: ignore[arg-type]

    def add(self, repository: Repository) -> Repository:
        """Take a repository in; returns it, for its behaviours to be set."""
        self.repositories[repository.kind, repository.id] = repository
        return repository

    def environment(self, home: Path, token: str | None = None) -> dict[str, str]:
        """Variables that make this the hub of a process, with its cache in `home`."""
        mine = {"HF_ENDPOINT": self.endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
        return {**mine, **({"HF_TOKEN": token} if token else {})}

    def start(self, port: int = 0) -> FakeHub:
        """Listen, on a port of the system's choice by default."""
        handler = type("Bound", (Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{port}"
        self.storage = f"http://localhost:{port}"  # another host than the hub, as its large-file storage is
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> FakeHub:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def repositories_in(folder: Path) -> list[Repository]:
    """Every `models/<owner>/<name>` and `datasets/<owner>/<name>` of a folder; under `datasets/<owner>/<name>/.export`
    lies the Parquet export of that data set."""
    found: list[Repository] = []
    kinds: tuple[Kind, ...] = ("models", "datasets")
    for kind in kinds:
        for path in sorted((folder / kind).glob("*/*")):
            if path.is_dir():
                one = from_folder(path, f"{path.parent.name}/{path.name}", kind)
                exported = {name: one.files.pop(name) for name in list(one.files) if name.startswith(".export/")}
                if exported:
                    one.revisions[EXPORT] = {name.removeprefix(".export/"): file for name, file in exported.items()}
                found.append(one)
    return found


def main(words: Sequence[str] | None = None) -> None:
    """Serve folders until the process ends."""
    parser = argparse.ArgumentParser(prog="python -m support.fake_hub", description="Serve folders as a hub.")
    parser.add_argument("--serve", nargs="+", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--commit", action="append", default=[], metavar="ID=COMMIT", help="The commit of a repository's main."
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="ID.FIELD=VALUE",
        help="A behaviour, as of support.hub_repository.",
    )
    given = parser.parse_args(words)
    hub = FakeHub(repositories=[one for folder in given.serve for one in repositories_in(folder)])
    commits = dict(word.rsplit("=", 1) for word in given.commit)
    for one in hub.repositories.values():
        one.commit = commits.get(one.id, one.commit)
        for word in given.set:
            where, value = word.split("=", 1)
            id, field = where.rsplit(".", 1)
            if id == one.id:
                setattr(one, field, int(value) if value.lstrip("-").isdigit() else value or None)
    hub.start(given.port)
    print(f"HF_ENDPOINT={hub.endpoint}", flush=True)
    hub.stopped.wait()


if __name__ == "__main__":
    main()
