"""The hub client's cache on this machine: which commit a revision was, which files of it are there, where one goes.

Its layout is the one that huggingface_hub and transformers read: `blobs/<digest>`, `snapshots/<commit>/<name>` linked to a
blob, `refs/<revision>`, `trees/<commit>.json` with the listing of a commit.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMIT = re.compile(r"[0-9a-f]{40}")
FORMAT = 1
"""Of `trees/<commit>.json`, as huggingface_hub writes it."""
RENAMED = ".renamed_to"
"""A note of our own, beside what the hub's client keeps."""
PART = ".incomplete"
"""Ending of a blob that is not whole."""


@dataclass(frozen=True)
class HubFile:
    """A file as the hub lists it."""

    name: str
    size: int
    git: str
    """Git's name of it: sha1 over a header and its bytes, or over the pointer of a large one."""
    sha256: str | None = None
    """Of a file in the large-file storage."""
    xet: str | None = None

    @property
    def blob(self) -> str:
        """Its name among the blobs."""
        return self.sha256 or self.git


@dataclass(frozen=True)
class CachedRepository:
    """What the cache has of a model's repository."""

    id: str

    @property
    def folder(self) -> Path:
        """Its folder, there or not."""
        return cache_folder() / f"models--{self.id.replace('/', '--')}"

    def commit(self, revision: str | None) -> str | None:
        """The commit of a revision (None: the newest that was ever asked for); None where the cache does not know."""
        if revision and COMMIT.fullmatch(revision):
            return revision
        try:
            known = (self.folder / "refs" / (revision or "main")).read_text("utf-8").strip()
        except (OSError, ValueError):
            return None
        return known if COMMIT.fullmatch(known) else None

    def snapshot(self, commit: str) -> Path:
        """The folder of a commit."""
        return self.folder / "snapshots" / commit

    def has(self, commit: str, file: HubFile) -> bool:
        """Whether a file is there with all its bytes."""
        try:
            return (self.snapshot(commit) / file.name).stat().st_size == file.size
        except OSError:
            return False

    def part(self, file: HubFile) -> Path:
        """Where the bytes of a file gather until they are all there."""
        return self.folder / "blobs" / f"{file.blob}{PART}"

    def bytes_there(self, commit: str, file: HubFile) -> int:
        """How many of a file's bytes are there, whole or in part."""
        if self.has(commit, file):
            return file.size
        if _size(self.blob(file)) == file.size:
            return file.size
        part = _size(self.part(file))
        return part if part <= file.size else 0

    def blob(self, file: HubFile) -> Path:
        """Where a file's bytes are once they are all there."""
        return self.folder / "blobs" / file.blob

    def take(self, commit: str, file: HubFile, whole: Path) -> None:
        """Put a file whose bytes were checked among the blobs, and link the commit's name to it."""
        blob = self.blob(file)
        if whole != blob:
            whole.replace(blob)
        name = self.snapshot(commit) / file.name
        name.parent.mkdir(parents=True, exist_ok=True)
        temporary = name.with_name(f".{name.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            temporary.unlink()
        try:
            temporary.symlink_to(os.path.relpath(blob, name.parent))
        except OSError:  # a file system without links
            shutil.copyfile(blob, temporary)
        temporary.replace(name)

    @property
    def known_as(self) -> str:
        """What the hub called it when it was last asked: another id than its own where it was renamed."""
        try:
            return (self.folder / RENAMED).read_text("utf-8").strip() or self.id
        except (OSError, ValueError):
            return self.id

    def remember(self, revision: str | None, commit: str, listing: Mapping[str, HubFile], name: str) -> None:
        """Note which commit a revision is, what is in it, and what the hub calls the repository now.

        A cache that cannot be written stays as it is: it may be complete.
        """
        files = {name: _entry(listing[name]) for name in sorted(listing)}
        with contextlib.suppress(OSError):
            if name != self.known_as:
                _write(self.folder / RENAMED, name)
            if revision != commit:
                _write(self.folder / "refs" / (revision or "main"), commit)
            _write(self._tree(commit), json.dumps({"format_version": FORMAT, "files": files}, indent=1))

    def listing(self, commit: str) -> dict[str, HubFile] | None:
        """What is in a commit; None where the cache does not know."""
        try:
            read: Any = json.loads(self._tree(commit).read_text("utf-8"))
            if read["format_version"] != FORMAT:
                return None
            return {name: _file(name, entry) for name, entry in read["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def listing_by_folder(self, commit: str) -> dict[str, HubFile]:
        """The files of a commit that are there: all that is known where no client kept a listing."""
        folder = self.snapshot(commit)
        names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
        return {name: HubFile(name, (folder / name).stat().st_size, "") for name in names}

    def _tree(self, commit: str) -> Path:
        return self.folder / "trees" / f"{commit}.json"


def cache_folder() -> Path:
    """The hub's cache: HF_HUB_CACHE, else `hub` in HF_HOME."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def free_bytes(folder: Path) -> int | None:
    """Room on the disk of a folder that may not be there yet; None where nobody says."""
    for path in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(path).free
        except OSError:
            continue
    return None


def _entry(file: HubFile) -> dict[str, Any]:
    large = {"lfs_sha256": file.sha256, "lfs_size": file.size} if file.sha256 else {}
    return {"size": file.size, "blob_id": file.git, **large, **({"xet_hash": file.xet} if file.xet else {})}


def _file(name: str, entry: Mapping[str, Any]) -> HubFile:
    return HubFile(
        name,
        int(entry.get("lfs_size") or entry["size"]),
        entry["blob_id"],
        entry.get("lfs_sha256"),
        entry.get("xet_hash"),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
