"""Writes the child: parent shards in, child shards out, one block of rows in memory at a time.

The child is written into a hidden folder beside `out` and renamed when it is complete, so an interrupted run leaves
nothing that loads; the next run resumes after the last finished shard.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from zoo.checkpoint.safetensors import header_bytes, in_shards, nbytes, read_header
from zoo.errors import Busy, DiskFull, InternalError, NotWritable, OutputExists
from zoo.files import atomic_file, fsync_path, publish_folder, write_atomically
from zoo.prune.parent import Parent
from zoo.prune.plan import Plan
from zoo.prune.progress import ProgressCallback
from zoo.prune.scores import DrawScores, Scores, write_scores
from zoo.prune.target import ChildShape
from zoo.prune.write.blocks import cut_blocks
from zoo.prune.write.cut import Cut, cuts
from zoo.prune.write.folder import describe_child, expected_count, write_json

SHARD_BYTES = 5_000_000_000
MARGIN = 64 << 20
"""Bytes that must be free beyond the child's weights, for the small files and the file system."""
MADE_FOR = "made_for.json"
"""The file of an unfinished folder that names its plan and parent, so that only the same run resumes it."""
FLUSHED_AT_ONCE = 64 << 20
"""Bytes written between two requests to the kernel to start writing them back."""


@dataclass(frozen=True)
class Shard:
    """One file of the child, its tensors in the order of the parent's bytes, those of a wider dtype first."""

    name: str
    cuts: tuple[Cut, ...]

    @property
    def size(self) -> int:
        """Bytes of its tensors."""
        return sum(_size(cut) for cut in self.cuts)


def write_child(
    plan: Plan,
    parent: Parent,
    out: Path,
    shard_bytes: int = SHARD_BYTES,
    progress: ProgressCallback | None = None,
    scores: Scores | None = None,
    draw: DrawScores | None = None,
) -> dict[str, Any]:
    """Slice `parent` by `plan` into the folder `out` and return the content of its minizoo.json.

    With `scores` the folder holds them, and with `draw` a picture of them. Durable when it returns: every file is on the
    disk before the folder gets its name. Raises OtherParent, WeightsNotFinite, OutputExists, DiskFull, NotWritable, and
    Busy where another process writes `out`; after an error nothing is left behind.
    """
    shards = shards_of(plan, parent, shard_bytes)
    with _partial_folder(plan, parent, out) as folder:
        _check_space(folder, shards)
        done, total = 0, sum(shard.size for shard in shards)
        for shard in shards:
            if not (folder / shard.name).is_file():
                _write_shard(shard, folder, _offset(progress, done, total))
            done += shard.size
        _check_count(plan, parent, folder, shards)
        if len(shards) > 1:
            where = {cut.name: shard.name for shard in shards for cut in shard.cuts}
            index = {"metadata": {"total_size": total}, "weight_map": where}
            write_json(folder / "model.safetensors.index.json", index)
        note = describe_child(plan, parent, folder, with_weights=True)
        _publish(folder, out, scores, draw)
    return note


def write_virtual(
    plan: Plan, parent: Parent, out: Path, scores: Scores | None = None, draw: DrawScores | None = None
) -> dict[str, Any]:
    """As `write_child` without any weights: the `pruned` backend reads the slices from the parent's own files."""
    with _partial_folder(plan, parent, out) as folder:
        note = describe_child(plan, parent, folder, with_weights=False)
        _publish(folder, out, scores, draw)
    return note


def shards_of(plan: Plan, parent: Parent, shard_bytes: int = SHARD_BYTES) -> list[Shard]:
    """The child's files, of `shard_bytes` at most but for a single tensor that is larger."""
    files = in_shards(cuts(plan, parent), shard_bytes, size=_size, dtype=lambda cut: cut.source.dtype)
    return [Shard(name, group) for name, group in files]


def _publish(folder: Path, out: Path, scores: Scores | None, draw: DrawScores | None) -> None:
    """Add the scores (in a folder of their own: they are no weights) and give the finished folder its name."""
    if scores is not None:
        write_scores(scores, folder / "importance", draw)
    (folder / MADE_FOR).unlink()
    publish_folder(folder, out)


def _offset(progress: ProgressCallback | None, done: int, total: int) -> Callable[[int], object]:
    """Progress of one shard as that of the whole child, of which `done` bytes were written before."""
    return lambda written: progress and progress("bytes of the child", done + written, total)


@contextlib.contextmanager
def _partial_folder(plan: Plan, parent: Parent, out: Path) -> Generator[Path]:
    """The hidden folder that the child is written to, locked; kept when interrupted, removed on an error."""
    if out.exists():
        raise OutputExists(f"{out} is already there.", "Give another --out, or remove it first.")
    folder = out.parent / f".{out.name}.partial"
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = out.parent / f".{out.name}.lock"
    try:
        with FileLock(lock, timeout=0):
            _resume_or_clear(plan, parent, folder)
            try:
                yield folder
            except OSError as error:
                shutil.rmtree(folder, ignore_errors=True)
                cause = DiskFull if error.errno == errno.ENOSPC else NotWritable
                raise cause(
                    f"{out} could not be written ({error.strerror or error}).",
                    "Free some space or change its permissions.",
                ) from error
            except Exception:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            finally:
                lock.unlink(missing_ok=True)
    except Timeout:
        raise Busy(f"Another run is writing {out}.", "Wait for it, or give another --out.") from None


def _resume_or_clear(plan: Plan, parent: Parent, folder: Path) -> None:
    made_for = folder / MADE_FOR
    wanted = json.dumps({"plan": plan.digest(), "parent": parent.digest})
    if folder.exists() and not (made_for.is_file() and made_for.read_text() == wanted):
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    write_atomically(made_for, wanted.encode())


def check_child_space(parent: Parent, shape: ChildShape, out: Path) -> None:
    """Raise DiskFull where a child of this shape will not fit, before hours go into choosing its units.

    It is reckoned with as many bytes a weight as the parent has; `write_child` knows it to the byte.
    """
    stored = parent.tensors.values()
    width = sum(t.size for t in stored) / sum(math.prod(t.shape) for t in stored)
    _refuse_full(round(shape.parameters * width) + MARGIN, out.parent)


def _check_space(folder: Path, shards: list[Shard]) -> None:
    missing = sum(shard.size for shard in shards if not (folder / shard.name).is_file())
    _refuse_full(missing + MARGIN, folder.parent)


def _refuse_full(needed: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(
            f"The child needs {needed:,} bytes, but the disk of {folder} has {free:,} free.",
            "Free some space, give another --out, or --virtual to write no weights.",
        )


def _write_shard(shard: Shard, folder: Path, progress: Callable[[int], object]) -> None:
    """Write one file, header first; it is fsynced before it gets its name. `progress` takes the bytes written."""
    header = header_bytes({cut.name: (cut.source.dtype, cut.shape) for cut in shard.cuts})
    done = begun = 0
    with atomic_file(folder / shard.name) as file:
        handle = file.fileno()  # blocks are large: written past the buffer of `file`
        os.posix_fallocate(handle, 0, len(header) + shard.size)
        _write_all(handle, memoryview(header))
        for _, block in cut_blocks(shard.cuts):
            done += _write_all(handle, np.ascontiguousarray(block).data.cast("B"))
            if done - begun >= FLUSHED_AT_ONCE:
                # writes these pages back now and drops older ones, so that the fsync below has little left
                os.posix_fadvise(handle, 0, len(header) + done, os.POSIX_FADV_DONTNEED)
                begun = done
            progress(done)
        read_header(Path(file.name))
    fsync_path(folder)


def _write_all(handle: int, content: memoryview) -> int:
    at = 0
    while at < len(content):
        at += os.write(handle, content[at:])
    return at


def _check_count(plan: Plan, parent: Parent, folder: Path, shards: list[Shard]) -> None:
    width = {cut.name: nbytes(cut.source.dtype, (1,)) for shard in shards for cut in shard.cuts}
    written = sum(t.size // width[t.name] for shard in shards for t in read_header(folder / shard.name).values())
    if written != (expected := expected_count(plan, parent)):
        raise InternalError(
            f"The child has {written:,} parameters on disk, but its dimensions call for {expected:,}.",
            "Please report it with the plan.",
        )


def _size(cut: Cut) -> int:
    return nbytes(cut.source.dtype, cut.shape)
