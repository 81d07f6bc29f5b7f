"""A repository of the emulated hub: its files in every revision, and how it behaves when it is asked for them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal

COMMIT = "c0ffee" + "0" * 34
EXPORT = "refs/convert/parquet"
"""The branch on which the hub keeps its Parquet export of a data set."""
LARGE = ("*.safetensors", "*.bin", "*.gguf", "*.model", "*.parquet", "*.h5", "*.pt", "*.arrow", "*.zip", "*.gz")
"""Files that stand in the hub's large-file storage whatever their size."""
LARGE_BYTES = 10_000_000

Kind = Literal["models", "datasets"]
Content = bytes | Path
Files = Mapping[str, Content]


@dataclass
class Repository:
    """What it holds and how it behaves. Behaviours may be set while the hub runs."""

    id: str
    files: dict[str, Content] = field(default_factory=dict[str, Content])
    """Of `main`: path → content, or the local file that has it."""
    kind: Kind = "models"
    commit: str = COMMIT
    revisions: dict[str, dict[str, Content]] = field(default_factory=dict[str, dict[str, Content]])
    """Other branches, tags and commits: name → files. A name of 40 hexadecimal digits is its own commit."""
    card: dict[str, Any] = field(default_factory=dict[str, Any])
    """The metadata of its card (`license` …)."""
    any_revision: bool = False
    """Whatever revision is asked for has the files of `main`."""

    gated: Literal["auto", "manual"] | None = None
    admitted: set[str] = field(default_factory=set[str])
    """Tokens whose owners accepted the licence."""
    pending: set[str] = field(default_factory=set[str])
    """Tokens whose owners asked and wait for the authors."""
    private_to: set[str] | None = None
    """Tokens that see it at all; None: everyone."""
    moved_to: str | None = None
    """Its new id: what is asked of the old one is redirected there."""
    disabled: bool = False

    busy: int = 0
    """As many of the next answers are 429."""
    retry_after: str | None = "1"
    """The Retry-After header of a 429; None: none, and the hub's own RateLimit headers say `rate_limit_seconds`."""
    rate_limit_seconds: int = 1
    failing: int = 0
    """As many of the next answers are `failing_status`."""
    failing_status: int = 503
    failing_in: str = ""
    """Only requests with this in their path are answered by `busy` and `failing`."""
    drop_after: int | None = None
    """Bytes of a large file's content after which its connection closes…"""
    drops: int | None = None
    """…as many times; None: for good."""
    hang_after: int | None = None
    """Bytes of a large file's content after which nothing more comes."""
    pause: float = 0.0
    """Seconds before each piece of a large file."""
    corrupt: set[str] = field(default_factory=set[str])
    """Files whose last byte is another one than the listing's digest says."""
    short: dict[str, int] = field(default_factory=dict[str, int])
    """Files of which only so many bytes are there, whatever the listing says."""
    ranges: bool = True
    """Whether a Range is honoured."""

    def tree(self, revision: str) -> tuple[str, Files] | None:
        """Commit and files of a revision; None where there is no such revision."""
        if revision in ("main", "HEAD", self.commit) or self.any_revision:
            return self.commit, self.files
        for name, files in self.revisions.items():
            commit = name if len(name) == 40 else hashlib.sha1(f"{self.id} {name}".encode()).hexdigest()
            if revision in (name, commit):
                return commit, files
        return None

    def served(self, path: str, content: Content) -> bytes:
        """The bytes that come down, right or wrong."""
        whole = read(content)
        if path in self.corrupt:
            whole = whole[:-1] + bytes([whole[-1] ^ 1])
        return whole[: self.short.get(path, len(whole))]


def read(content: Content) -> bytes:
    """The bytes of a file."""
    return content.read_bytes() if isinstance(content, Path) else content


def is_large(path: str, content: Content) -> bool:
    """Whether a file stands in the large-file storage."""
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    return size > LARGE_BYTES or any(fnmatchcase(path, pattern) for pattern in LARGE)


def digests(content: Content) -> tuple[str, str, int]:
    """Git's name of the content, its sha256, and its size."""
    if isinstance(content, Path):
        state = content.stat()
        return _of_file(str(content), state.st_mtime_ns, state.st_size)
    return _digests(content)


@cache
def _of_file(path: str, _: int, __: int) -> tuple[str, str, int]:
    return _digests(Path(path).read_bytes())


def _digests(content: bytes) -> tuple[str, str, int]:
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return git, hashlib.sha256(content).hexdigest(), len(content)


def etag(path: str, content: Content) -> str:
    """What names a file's content in the client's cache: sha256 of a large one, git's name of a small one."""
    git, sha256, _ = digests(content)
    return sha256 if is_large(path, content) else git


def entry(path: str, content: Content) -> dict[str, Any]:
    """A file as the hub lists it."""
    git, sha256, size = digests(content)
    large = {"lfs": {"oid": sha256, "size": size, "pointerSize": 134}} if is_large(path, content) else {}
    return {"type": "file", "path": path, "size": size, "oid": git, **large}


def sibling(path: str, content: Content) -> dict[str, Any]:
    """A file as a repository's information names it with `blobs=True`."""
    git, sha256, size = digests(content)
    large = {"lfs": {"sha256": sha256, "size": size, "pointerSize": 134}} if is_large(path, content) else {}
    return {"rfilename": path, "size": size, "blobId": git, **large}


def listing(files: Files, folder: str, recursive: bool) -> list[dict[str, Any]] | None:
    """Files and folders under `folder` as the hub lists them; None where there is no such folder."""
    inside = {path: content for path, content in files.items() if not folder or path.startswith(f"{folder}/")}
    if folder and not inside:
        return None
    depth = folder.count("/") + 1 if folder else 0
    folders = {"/".join(path.split("/")[:n]) for path in inside for n in range(depth + 1, path.count("/") + 1)}
    rows = [
        {"type": "directory", "path": name, "size": 0, "oid": hashlib.sha1(name.encode()).hexdigest()}
        for name in folders
    ]
    rows += [entry(path, content) for path, content in inside.items()]
    return sorted((row for row in rows if recursive or row["path"].count("/") == depth), key=lambda row: row["path"])


def from_folder(folder: Path, id: str, kind: Kind = "models") -> Repository:
    """The files of a folder on disk as a repository."""
    files: dict[str, Content] = {
        path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()
    }
    return Repository(id, files, kind)


def information(repository: Repository, commit: str, files: Files, blobs: bool) -> dict[str, Any]:
    """A repository as `/api/models/…` tells it."""
    return {
        "_id": "0" * 24,
        "id": repository.id,
        "sha": commit,
        "private": repository.private_to is not None,
        "gated": repository.gated or False,
        "disabled": repository.disabled,
        "lastModified": "2024-10-01T00:00:00.000Z",
        "createdAt": "2024-09-01T00:00:00.000Z",
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "cardData": repository.card,
        "siblings": [sibling(path, files[path]) if blobs else {"rfilename": path} for path in sorted(files)],
    }


def refs(repository: Repository) -> dict[str, Any]:
    """Its branches, and the branches of its exports."""
    names = {"main": repository.commit, **{name: (repository.tree(name) or ("",))[0] for name in repository.revisions}}
    kinds: dict[str, list[dict[str, str]]] = {"branches": [], "converts": [], "tags": []}
    for name, commit in names.items():
        kind = "converts" if name.startswith("refs/convert/") else "branches"
        ref = name if name.startswith("refs/") else f"refs/heads/{name}"
        short = name.removeprefix("refs/convert/")
        kinds[kind].append({"name": short, "ref": ref, "targetCommit": commit})
    return kinds
