"""Files of packed rows, written whole or not at all, and mapped to memory when they are read."""

from __future__ import annotations

import errno
import functools
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.distill.data.manifest import ANEW, Manifest, Shard, read_manifest
from zoo.distill.data.order import Group, Order
from zoo.distill.data.packing import Words
from zoo.distill.data.rows import TokenRows
from zoo.distill.data.sources import Source
from zoo.errors import DiskFull, NotWritable, OtherData, TooLittleData
from zoo.files import atomic_file
from zoo.prune.progress import ProgressCallback

MARGIN = 16 << 20
"""Bytes that stay free on the disk."""


MAPPED = 128
"""Files that are mapped at once: each holds a descriptor, and a process may have few."""


@dataclass(frozen=True)
class MappedShard:
    """A file of rows, mapped when a row of it is asked for. `written` tells it from another of the same name."""

    path: Path
    shape: tuple[int, int]
    written: int

    def __getitem__(self, row: int) -> Words:
        return _mapped(self)[row]


@functools.lru_cache(maxsize=MAPPED)
def _mapped(shard: MappedShard) -> Words:
    return np.memmap(shard.path, dtype="<u4", mode="r", shape=shard.shape)


def write_shard(path: Path, rows: Words) -> Shard:
    """Write rows [rows, length] to a file that is on the disk when this returns. Raises DiskFull and NotWritable."""
    content = np.ascontiguousarray(rows, dtype="<u4")
    free = shutil.disk_usage(path.parent).free
    if free < content.nbytes + MARGIN:
        raise _disk_full(path, content.nbytes, free)
    try:
        with atomic_file(path) as file:
            file.write(content.data)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _disk_full(path, content.nbytes, shutil.disk_usage(path.parent).free) from None
        raise NotWritable(
            f"{path} could not be written ({error.strerror or error}).", "Mend it; the rows go on."
        ) from None
    return Shard(file=path.name, rows=len(content), sha256=hashlib.sha256(content.data).hexdigest())


def open_rows(folder: Path, sources: Sequence[Source], vocabulary: int, seed: int = 0) -> TokenRows:
    """The finished rows of a folder, mapped to memory, in the order by seed and the sources' shares.

    Without shares every row of every source comes once an epoch. Raises OtherData where rows are unfinished or files cut.
    """
    manifest = read_manifest(folder)
    if manifest is None or not manifest.finished:
        raise OtherData(f"The rows in {folder} are not finished.", "Make them with the same command again.")
    shards = [
        _opened(folder / each.file, (each.rows, manifest.length))
        for source in manifest.sources
        for each in source.shards
    ]
    order = Order(_groups(manifest, sources), seed)
    return TokenRows(shards, order, vocabulary, manifest.digest, manifest.tokenizer)


def check_shards(folder: Path, progress: ProgressCallback | None = None) -> None:
    """Read every file of rows and compare it with its sha256. Raises OtherData, naming the file."""
    manifest = read_manifest(folder)
    shards = [shard for source in manifest.sources for shard in source.shards] if manifest else []
    for done, shard in enumerate(shards, 1):
        with (folder / shard.file).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != shard.sha256:
                raise OtherData(f"{folder / shard.file} is not as it was written: its sha256 is another.", ANEW)
        if progress:
            progress("files of rows checked", done, len(shards))


def _opened(path: Path, shape: tuple[int, int]) -> MappedShard:
    if not path.is_file() or path.stat().st_size != shape[0] * shape[1] * 4:
        raise OtherData(f"{path} is not as it was written: bytes are missing.", ANEW)
    return MappedShard(path, shape, path.stat().st_mtime_ns)


def _disk_full(path: Path, needed: int, free: int) -> DiskFull:
    return DiskFull(
        f"The rows of {path} need {needed:,} bytes, but the disk has {free:,} free.",
        "Free some space; the same command goes on where it stopped.",
    )


def _groups(manifest: Manifest, sources: Sequence[Source]) -> tuple[Group, ...]:
    """Sources with shares are drawn apart, the others together."""
    if any(source.share is None for source in sources):
        return (Group(manifest.rows),)
    pairs = zip(manifest.sources, sources, strict=True)
    groups = [(made.rows, source.share, source.name) for made, source in pairs]
    for rows, _, name in groups:
        if not rows:
            raise TooLittleData(f"{name} has a share and no text of two tokens.", "Leave it out.")
    return tuple(Group(rows, share or 0.0) for rows, share, _ in groups)
