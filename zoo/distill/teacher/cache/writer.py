"""A teacher's cache made, row by row: what is finished stays, and the same call goes on with what is missing."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from zoo.distill.batch import Batch, ExactTargets, counted
from zoo.distill.teacher.cache.entries import check_form, kept_of
from zoo.distill.teacher.cache.head_file import write_head
from zoo.distill.teacher.cache.manifest import (
    NAME,
    Exact,
    Form,
    Made,
    Manifest,
    check_same,
    identity_of,
    read_manifest,
    write_manifest,
)
from zoo.distill.teacher.cache.shards import Entry, Shards, remove_unfinished, write_shard
from zoo.distill.teacher.live import LiveTeacher
from zoo.errors import Busy, ConflictingOptions, DiskFull, NotWritable, TeacherNotFinite
from zoo.files import check_writable

SHARD_BYTES = 128 << 20
"""Bytes of a file, which are in memory until it is written; no file has less than a row."""
MARGIN = 16 << 20
"""Bytes that are to stay free."""
BatchOf = Callable[[Sequence[int]], Batch]
"""Rows of the data by their numbers."""
Progress = Callable[[str, int, int], None]
"""Takes the name of the step, how much of it is done, and of how much."""


@dataclass(frozen=True)
class Making:
    """How it is made: rows in a forward pass, bytes of a file, this process's share of the rows (its number, of how many)."""

    micro: int = 1
    shard_bytes: int = SHARD_BYTES
    share: tuple[int, int] = (0, 1)


def manifest_of(
    teacher: LiveTeacher, form: Form, *, data: str, tokenizer: str, length: int, names: tuple[str, str] = ("", "")
) -> Manifest:
    """The manifest of a cache of this teacher over rows of `length` tokens; `names` of teacher and data are for messages.

    Raises InvalidOption for samples that cannot be drawn, ConflictingOptions for layers that the teacher does not give.
    """
    if isinstance(form, Exact) and form.layers != teacher.layers:
        raise ConflictingOptions(
            f"The cache is to hold the states of layers {form.layers}, the teacher gives those of {teacher.layers}.",
            "Make the teacher with the cache's layers.",
        )
    head = teacher.head
    check_form(form, teacher.vocabulary)
    return Manifest(
        teacher=teacher.digest,
        data=data,
        tokenizer=tokenizer,
        vocabulary=teacher.vocabulary,
        hidden=int(head.weight.shape[1]),
        length=length,
        form=form,
        scale=head.scale,
        softcap=head.softcap,
        teacher_name=names[0],
        data_name=names[1],
    )


def write_cache(
    folder: Path,
    manifest: Manifest,
    teacher: LiveTeacher,
    rows: Sequence[int],
    batch_of: BatchOf,
    making: Making = Making(),  # frozen
    progress: Progress | None = None,
) -> Made:
    """Make the folder hold these rows of the data; those that it has are not computed again. Returns what it holds then.

    Each file is whole or not there, whenever the process is stopped; the manifest says `made` once all is there. Several
    processes may make one cache at once, each its `share` of the rows, equal for all. Raises CacheOfOther… for a folder
    with another cache, CacheBroken for a broken file in it, DiskFull before the first row where there is not room for all
    of them, Busy where another process makes the same share, TeacherNotFinite for NaN or infinity, with the row.
    """
    number, of = making.share
    mine = _share(sorted(set(rows)), number, of)
    check_writable(folder)
    with _held(folder, number), _disk_errors(folder):
        identity = _begin(folder, manifest)
        remove_unfinished(folder, mine)
        if number == 0 and isinstance(manifest.form, Exact):
            write_head(folder, teacher.head, identity)
        missing = Shards(folder, identity).missing(mine)
        _check_space(folder, manifest, len(missing))
        done = len(mine) - len(missing)
        for entries in _shards(manifest, teacher, missing, batch_of, making):
            write_shard(folder, entries, identity)
            done += len(entries)
            if progress:
                progress("rows of the teacher's cache", done, len(mine))
        return _finish(folder, manifest, identity)


def _share(rows: list[int], number: int, of: int) -> list[int]:
    """One of `of` runs of neighbouring rows."""
    return rows[len(rows) * number // of : len(rows) * (number + 1) // of]


def _begin(folder: Path, manifest: Manifest) -> str:
    if (folder / NAME).exists():
        check_same(folder, read_manifest(folder), manifest)
    else:
        write_manifest(folder, manifest.model_copy(update={"made": None}))
    return identity_of(manifest)


def _finish(folder: Path, manifest: Manifest, identity: str) -> Made:
    shards = Shards(folder, identity)
    made = Made(rows=len(shards.rows), positions=shards.positions, bytes=shards.bytes, files=len(shards.files))
    write_manifest(folder, manifest.model_copy(update={"made": made}))
    return made


def _shards(
    manifest: Manifest, teacher: LiveTeacher, rows: Sequence[int], batch_of: BatchOf, making: Making
) -> Iterator[list[Entry]]:
    """The entries of each file that is to be written."""
    a_row = manifest.length * manifest.bytes_a_position
    at_once = max(1, making.shard_bytes // a_row)
    for first in range(0, len(rows), at_once):
        of_file = rows[first : first + at_once]
        yield [
            entry
            for at in range(0, len(of_file), making.micro)
            for entry in _entries(manifest, teacher, batch_of(of_file[at : at + making.micro]))
        ]


def _entries(manifest: Manifest, teacher: LiveTeacher, batch: Batch) -> Iterator[Entry]:
    """One for each row of the batch."""
    targets = teacher.targets(batch)
    mask = counted(batch)
    end = 0
    for row, of_row in zip(batch.rows, mask, strict=True):
        places = of_row.nonzero()[:, 0]
        first, end = end, end + len(places)
        part = slice(first, end)
        if not torch.isfinite(targets.hidden[part]).all():
            raise TeacherNotFinite(
                f"The teacher's hidden states of row {row} of {manifest.data_name or 'the data'} are NaN or infinite.",
                "Let it compute in float32 or bfloat16, or leave the row out.",
            )
        of_it = ExactTargets(targets.hidden[part], targets.head, tuple(state[part] for state in targets.states))
        yield Entry(row, kept_of(manifest.form, row, places, of_it))


def check_room(folder: Path, needed: int) -> None:
    """Raise DiskFull where the disk of a folder has less room than so many bytes."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if needed + MARGIN > free:
        raise DiskFull(
            f"The teacher's cache needs {needed:,} bytes more, but the disk of {folder} has {free:,} free.",
            "Free some space, give a --teacher-cache on another disk, --cache sampled:K, or none (the teacher in memory).",
        )


def _check_space(folder: Path, manifest: Manifest, rows: int) -> None:
    check_room(folder, rows * (manifest.length * manifest.bytes_a_position + 16))


@contextlib.contextmanager
def _held(folder: Path, number: int) -> Generator[None]:
    """Only one process makes a share at a time."""
    lock = folder / f".making-{number}.lock"
    try:
        with FileLock(lock, timeout=0):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except Timeout:
        raise Busy(
            f"Another process is making the teacher's cache in {folder}.",
            "Wait for it, or give another --teacher-cache.",
        ) from None


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        cause = DiskFull if error.errno == errno.ENOSPC else NotWritable
        raise cause(
            f"The teacher's cache in {folder} could not be written ({error.strerror or error}).",
            "What is finished stays: free some space or change its permissions, and give the same command.",
        ) from error
