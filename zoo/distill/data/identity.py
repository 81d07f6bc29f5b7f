"""What identifies a source: sha256 over the bytes of its files, or the commit of the hub."""

from __future__ import annotations

import hashlib
from pathlib import Path

from zoo.distill.data.hub_data import revision_of
from zoo.distill.data.sources import Source
from zoo.errors import InvalidTrainingData
from zoo.strict import Strict


class Identity(Strict):
    """`digest` is of the content, whatever the files are called; `stat` of names, sizes and times, by which a file that nobody
    touched is known again without reading it."""

    digest: str
    stat: str
    size: int
    revision: str | None = None


def identify(source: Source, known: Identity | None = None) -> Identity:
    """Who the source is; `known` is what it was found to be before, and holds as long as its files are untouched.

    A data set of the hub stays at the commit that was known. Raises InvalidTrainingData and HubUnreachable.
    """
    if source.hub is not None:
        stat = _sha256(f"{source.hub.id} {source.hub.config} {source.hub.split} {source.hub.revision}")
        if known is not None and known.stat == stat:
            return known
        revision = revision_of(source.hub, source.name)
        return Identity(digest=_sha256(f"{stat} {revision}"), stat=stat, size=0, revision=revision)
    try:
        return _of_files(_files(source), known)
    except OSError as error:
        raise InvalidTrainingData(f"{source.name} cannot be read ({error.strerror or error}).") from None


def _files(source: Source) -> list[Path]:
    if source.files or source.path is None:
        return list(source.files)
    return sorted(path for path in source.path.rglob("*") if path.is_file())


def _of_files(files: list[Path], known: Identity | None) -> Identity:
    stats = [(file, file.stat()) for file in files]
    stat = _sha256("\n".join(f"{file.resolve()} {each.st_size} {each.st_mtime_ns}" for file, each in stats))
    if known is not None and known.stat == stat:
        return known
    digests: list[str] = []
    for file in files:
        with file.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return Identity(digest=_sha256("\n".join(digests)), stat=stat, size=sum(each.st_size for _, each in stats))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
