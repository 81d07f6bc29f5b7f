"""A folder with pickled weights as a whole checkpoint of safetensors, in minizoo's cache: converted once, then found there.

`converted/<key>` holds weights, under a key of the pickled files' digests; `converted/as-<key>` is what is run: links to
those weights with copies of config.json and the tokenizer, under a key of all of them. Neither the user's folder nor the
hub's cache is written to. A folder that is there is whole: each is made under another name, synced and renamed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo.arch.config_keys import ConfigView
from zoo.arch.hf_config import read_config
from zoo.checkpoint.digests import digest_of, digest_of_digests
from zoo.checkpoint.forms.names import PICKLED_INDEX, pickled_entry
from zoo.checkpoint.forms.pointers import partly_fetched, refuse_pointers
from zoo.checkpoint.forms.refusal import adapter_alone
from zoo.checkpoint.pickled.archive import Archive, open_archive
from zoo.checkpoint.pickled.file_digests import identity, known_sha256
from zoo.checkpoint.pickled.reader_process import list_tensors
from zoo.checkpoint.pickled.shards import SHARD_BYTES, Shard, plan_shards, write_shards
from zoo.checkpoint.pickled.sources import sources
from zoo.checkpoint.safetensors import stored_tensors
from zoo.checkpoint.small_files import small_files
from zoo.checkpoint.weight_files import INDEX, WHOLE, shard_names, weight_files
from zoo.errors import Busy, DiskFull, InputError, NotWritable, WeightsMissing, WeightsTruncated
from zoo.files import cache_folder, publish_folder, write_atomically

FORM = 1
"""Of what is written: part of every key, to be raised where the same pickled files would give other bytes."""
NOTE = "converted.json"
MARGIN = 64 << 20
"""Bytes that stay free on the disk."""
Progress = Callable[[str, int, int], None]
"""Called with a step's name, how many bytes of it are done, and how many there are."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PickledWeights:
    """The pickled weights of a folder that has no safetensors: every file there and a whole zip of torch.save."""

    folder: Path
    entry: str
    """The whole file or the index, by its name."""
    archives: tuple[Archive, ...]

    @property
    def files(self) -> list[Path]:
        """In the order of the index."""
        return [archive.file for archive in self.archives]

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.stat().st_size for file in self.files)


@dataclass(frozen=True)
class Converted:
    """A checkpoint of safetensors that was made from pickled weights, and sha256 over the names and bytes of those."""

    folder: Path
    digest: str


def pickled_weights(folder: Path) -> PickledWeights | None:
    """The pickled weights that a folder has in place of safetensors; None where it has safetensors, or neither.

    Nothing is unpickled. Raises WeightsMissing, PartlyFetched, InvalidFile, PointerFile, WeightsTruncated, PickleUnreadable
    and AdapterAlone.
    """
    names = {path.name for path in folder.iterdir() if path.is_file()}
    entry = pickled_entry(names)
    if entry is None or WHOLE in names or INDEX in names or (folder / WHOLE).is_symlink():
        return None
    if (adapter := adapter_alone(folder)) is not None:
        raise adapter
    refuse_pointers([folder / entry] if entry == PICKLED_INDEX else [])
    files = [folder / name for name in (shard_names(folder / entry, ".bin") if entry == PICKLED_INDEX else [entry])]
    gone = [file.name for file in files if not file.is_file()]
    if gone:
        raise partly_fetched(folder) or WeightsMissing(
            f"{folder} lacks {len(gone)} of the {len(files)} weight files that its {entry} names, first {gone[0]!r}.",
            "Fetch the missing files again.",
        )
    return PickledWeights(folder, entry, tuple(map(open_archive, files)))


def converted(pickled: PickledWeights, progress: Progress | None = None) -> Converted:
    """The checkpoint of safetensors of these weights, made where it is not in the cache yet, and told when it is made.

    Two processes that want the same make it once. Raises UnsafePickle, PickleUnreadable, what `sources` raises, DiskFull,
    NotWritable and Busy.
    """
    root = cache_folder() / "converted"
    config = read_config(pickled.folder)
    digests = _digests(pickled, root / "digests", _steps(progress, f"reading {pickled.entry}", pickled.bytes))
    tied = ConfigView(config).value("tied_embeddings") is True
    key = _key({"form": FORM, "shard": SHARD_BYTES, "tied": tied, "files": digests})
    weights = root / key
    with _reported(root):
        root.mkdir(parents=True, exist_ok=True)
        if not _whole(weights):
            with _locked(root / f".{key}.lock", pickled.folder):
                if not _whole(weights):
                    _convert(pickled, config, weights, digests, progress)
        return Converted(_checkpoint(pickled.folder, weights, root), digest_of_digests(digests))


def _digests(pickled: PickledWeights, cache: Path, step: Callable[[int], None]) -> dict[str, str]:
    """Name of each file → its sha256."""
    names = [file.relative_to(pickled.folder).as_posix() for file in pickled.files]
    return {name: known_sha256(file, cache, step) for name, file in zip(names, pickled.files, strict=True)}


def _key(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _whole(weights: Path) -> bool:
    """Whether converted weights are there with all their bytes; what was damaged since is removed."""
    if not weights.is_dir():
        return False
    try:
        stored_tensors(weight_files(weights).read)
    except InputError as error:
        log.info("%s is made again: %s", weights, error)
        shutil.rmtree(weights, ignore_errors=True)
        return False
    return True


def _convert(
    pickled: PickledWeights,
    config: Mapping[str, Any],
    weights: Path,
    digests: Mapping[str, str],
    progress: Progress | None,
) -> None:
    """Write the weights and their note; all or nothing."""
    began = time.monotonic()
    before = [identity(file) for file in pickled.files]
    found = sources(pickled.archives, list_tensors(pickled.files), config)
    shards = plan_shards(found.tensors, SHARD_BYTES)
    partial = weights.with_name(f".{weights.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
    _check_room(partial.parent, shards, pickled)
    partial.mkdir()
    try:
        step = f"converting {pickled.entry}"
        write_shards(shards, partial, _steps(progress, step, sum(shard.size for shard in shards)))
        if [identity(file) for file in pickled.files] != before:
            raise WeightsTruncated(f"{pickled.folder / pickled.entry} changed while it was read.", "Run again.")
        note = {"form": FORM, "files": digests, "remarks": found.remarks, "from": str(pickled.folder.resolve())}
        write_atomically(partial / NOTE, json.dumps(note, indent=2, sort_keys=True).encode() + b"\n")
        publish_folder(partial, weights)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    log.warning(
        "%s of %s (%s) was converted to safetensors in %.1f s%s: later runs take them from %s.",
        pickled.entry, pickled.folder, _size(pickled.bytes), time.monotonic() - began,
        "".join(f"; {remark}" for remark in found.remarks), weights,
    )  # fmt: skip


def _check_room(folder: Path, shards: Sequence[Shard], pickled: PickledWeights) -> None:
    needed, free = sum(shard.size for shard in shards) + MARGIN, shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(
            f"{pickled.folder / pickled.entry} takes {_size(needed)} as safetensors in {folder}, and its disk has "
            f"{_size(free)} left.",
            "Make room, or let XDG_CACHE_HOME name a folder on another disk.",
        )


def _checkpoint(folder: Path, weights: Path, root: Path) -> Path:
    """The folder that is run: small files of the model's as they are now, links to the weights."""
    small = [folder / "config.json", *small_files(folder)]
    final = root / f"as-{_key({'weights': weights.name, 'small': digest_of(small, folder)})}"
    if final.is_dir():
        return final
    partial = Path(tempfile.mkdtemp(prefix=".as-", dir=root))
    try:
        for path in small:
            target = partial / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        for path in weights.iterdir():
            if path.name != NOTE:
                (partial / path.name).symlink_to(Path("..") / weights.name / path.name)
        partial.chmod(0o755)
        publish_folder(partial, final)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        if not final.is_dir():  # another process was first
            raise
    return final


@contextlib.contextmanager
def _locked(lock: Path, folder: Path) -> Generator[None]:
    """One process at a time; another that holds it is told of and waited for."""
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        log.warning("Another process converts the weights of %s: waiting for it.", folder)
        try:
            held.acquire(timeout=WAITS_S)
        except Timeout:
            raise Busy(f"Another process converts the weights of {folder}.", "Run again when it is done.") from None
    try:
        yield
    finally:
        held.release()


WAITS_S = 4 * 3600.0


@contextlib.contextmanager
def _reported(root: Path) -> Generator[None]:
    """What the disk refuses, as an error with a cause of its own."""
    try:
        yield
    except OSError as error:
        cause = DiskFull if error.errno == errno.ENOSPC else NotWritable
        raise cause(
            f"The converted weights could not be written to {root} ({error.strerror or error}).",
            "Make room, or let XDG_CACHE_HOME name a folder on another disk.",
        ) from error


def _steps(progress: Progress | None, step: str, total: int) -> Callable[[int], None]:
    """Takes bytes at a time, and tells `progress` how many of the step's there are."""
    done = 0

    def more(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(step, done, total)

    return more


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
