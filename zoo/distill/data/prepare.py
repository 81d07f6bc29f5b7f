"""Text made into files of packed rows once, for every run that trains on it; killed at any time, it goes on."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from zoo.distill.data.documents import Document
from zoo.distill.data.identity import Identity, identify
from zoo.distill.data.manifest import ANEW, Manifest, SourceRows, read_manifest, write_manifest
from zoo.distill.data.packing import Framing, Place, pack
from zoo.distill.data.reading import read_documents
from zoo.distill.data.shards import write_shard
from zoo.distill.data.sources import Source, pinned
from zoo.distill.data.tokenizing import AT_ONCE, TextTokenizer, tokenize
from zoo.errors import Busy, OtherData, TooLittleData
from zoo.files import check_writable
from zoo.prune.progress import ProgressCallback

SHARD_BYTES = 64 << 20
"""Bytes of a file of rows: 16 million tokens."""
SHOWN_BROKEN = 20
"""Broken rows whose fault is kept in the manifest; the others are counted."""
LOCK = ".lock"


@dataclass(frozen=True)
class RowSettings:
    """Rows of `length` tokens; with `skip_broken`, broken rows of a source are left out and counted instead of refused.

    `left_out` has for a source, by name, the numbers of documents that are not to be trained on (they overlap with a test).
    `most` is how many rows are taken of a source that is a stream of the hub, which may have no end; files are read whole.
    """

    length: int
    skip_broken: bool = False
    left_out: Mapping[str, frozenset[int]] = field(default_factory=dict)
    most: int | None = None
    shard_bytes: int = SHARD_BYTES


def prepare(
    sources: Sequence[Source],
    tokenizer: TextTokenizer,
    settings: RowSettings,
    folder: Path,
    progress: ProgressCallback | None = None,
    identities: Mapping[str, Identity] | None = None,
) -> Manifest:
    """Make the rows of the sources in the folder, go on with them, or find them finished. Returns their manifest.

    `identities` are those of sources by name as far as they are known: a file that is untouched since is not hashed again.

    Each file is on the disk before the manifest names it, so a run that is killed loses one file's work at most. Raises
    OtherData where the folder holds something else, Busy while another process makes them, DiskFull before a file that does
    not fit, InvalidTrainingData for what is broken, TooLittleData where there is nothing to learn from.
    """
    check_writable(folder)
    with _alone(folder):
        manifest = _begin(sources, tokenizer, settings, folder, identities or {})
        before, whole = 0, sum(made.identity.size for made in manifest.sources)
        for number, source in enumerate(sources):
            told = _Progress(progress, before, whole)
            task = _Task(
                pinned(source, manifest.sources[number].identity.revision), number, tokenizer, settings, folder, told
            )
            for grown in task.grown(manifest.sources[number]):
                now = (*manifest.sources[:number], grown, *manifest.sources[number + 1 :])
                manifest = manifest.model_copy(update={"sources": now})
                write_manifest(folder, manifest)
            before += manifest.sources[number].identity.size
    if not manifest.rows:
        raise _nothing(manifest)
    return manifest


@dataclass(frozen=True)
class _Progress:
    """Bytes of one source as bytes of all of them, of which `before` were read before."""

    told: ProgressCallback | None
    before: int
    whole: int

    def tell(self, done: int) -> None:
        if self.told:
            self.told("bytes of text made into rows", self.before + done, max(self.before + done, self.whole))


@dataclass
class _Counts:
    """What became of the documents handed over so far."""

    empty: int = 0
    dropped: int = 0
    broken: int = 0
    broken_first: tuple[str, ...] = ()

    def add(self, document: Document, is_left_out: bool) -> None:
        if document.fault is not None:
            self.broken += 1
            if len(self.broken_first) < SHOWN_BROKEN:
                self.broken_first += (document.fault,)
        elif is_left_out:
            self.dropped += 1
        elif document.is_empty:
            self.empty += 1


@dataclass(frozen=True)
class _Task:
    """One source of the folder, to be made into rows as far as it is not."""

    source: Source
    number: int
    tokenizer: TextTokenizer
    settings: RowSettings
    folder: Path
    progress: _Progress

    def grown(self, made: SourceRows) -> Iterator[SourceRows]:
        """What became of the source after each file that is written; nothing where it is finished."""
        if made.finished:
            return
        settings = self.settings
        framing = Framing(settings.length, self.tokenizer.bos, self.tokenizer.eos)
        counts = _Counts(made.empty, made.dropped, made.broken, made.broken_first)
        rows = pack(self._ids(made.documents, counts), framing, Place(made.documents, made.tokens_of_next))
        if self.source.hub is not None and settings.most is not None:
            rows = itertools.islice(rows, max(0, settings.most - made.rows))
        per_file = max(1, settings.shard_bytes // (4 * settings.length))
        while part := list(itertools.islice(rows, per_file)):
            path = self.folder / f"{self.number:02}-{len(made.shards):05}.u32"
            shard = write_shard(path, np.stack([row.words for row in part]))
            grown = {
                **asdict(counts),
                "documents": part[-1].after.documents,
                "tokens_of_next": part[-1].after.tokens,
                "tokens": made.tokens + sum(row.learnt for row in part),
                "shards": (*made.shards, shard),
            }
            made = made.model_copy(update=grown)
            yield made
        yield made.model_copy(update={**asdict(counts), "finished": True})

    def _ids(self, first: int, counts: _Counts) -> Iterator[NDArray[np.int64]]:
        """The ids of the documents from a number on; what is not to be learnt from has none."""
        left_out = self.settings.left_out.get(self.source.name, frozenset[int]())
        documents = read_documents(self.source, self.tokenizer.chat, self.settings.skip_broken)
        done = sum(skipped.size for skipped in itertools.islice(documents, first))
        for number, (document, ids) in enumerate(tokenize(documents, self.tokenizer), first):
            counts.add(document, number in left_out)
            done += document.size
            if number % AT_ONCE == 0:
                self.progress.tell(done)
            yield ids[:0] if number in left_out else ids
        self.progress.tell(done)


def _begin(
    sources: Sequence[Source],
    tokenizer: TextTokenizer,
    settings: RowSettings,
    folder: Path,
    known: Mapping[str, Identity],
) -> Manifest:
    """The folder's manifest, or a new one where it is empty. Raises OtherData where it holds something else."""
    found = read_manifest(folder)
    if found is None and (foreign := [path.name for path in folder.iterdir() if not path.name.startswith(".")]):
        raise OtherData(
            f"{folder} holds {min(foreign)} and no rows.", "Give an empty folder, or one that is not there yet."
        )
    known = {**known, **({made.name: made.identity for made in found.sources} if found else {})}
    wanted = Manifest(
        schema="minizoo.rows/1",
        length=settings.length,
        tokenizer=tokenizer.digest,
        bos=tokenizer.bos,
        eos=tokenizer.eos,
        skip_broken=settings.skip_broken,
        most=settings.most if any(source.hub for source in sources) else None,
        shard_bytes=settings.shard_bytes,
        sources=tuple(
            SourceRows(
                name=source.name,
                identity=identify(source, known.get(source.name)),
                column=source.column,
                left_out=_digest_of_numbers(settings.left_out.get(source.name, frozenset())),
            )
            for source in sources
        ),
    )
    if found is None:
        write_manifest(folder, wanted)
        return wanted
    if found.made_of != wanted.made_of:
        raise OtherData(f"The rows in {folder} were made of something else: {_difference(found, wanted)}.", ANEW)
    pairs = zip(found.sources, wanted.sources, strict=True)
    moved = tuple(old.model_copy(update={"name": new.name, "identity": new.identity}) for old, new in pairs)
    return found.model_copy(update={"sources": moved})


def _nothing(manifest: Manifest) -> TooLittleData:
    names = ", ".join(source.name for source in manifest.sources)
    dropped = sum(source.dropped for source in manifest.sources)
    if dropped:
        why = f"{dropped:,} of them overlap with tests and are left out"
        return TooLittleData(
            f"No document of {names} is left: {why}.", "A .txt is one document: write a .jsonl, or give more."
        )
    broken = sum(source.broken for source in manifest.sources)
    why = f"; {broken:,} of its rows are broken" if broken else ""
    return TooLittleData(f"There is no text of two tokens in {names}{why}.", "Give more text.")


def _digest_of_numbers(numbers: frozenset[int]) -> str | None:
    return sha256(" ".join(map(str, sorted(numbers))).encode()).hexdigest() if numbers else None


def _difference(found: Manifest, wanted: Manifest) -> str:
    """What differs first, in words."""
    before, now = [source.name for source in found.sources], [source.name for source in wanted.sources]
    if len(before) != len(now):
        return f"of {', '.join(before)}, and now {', '.join(now)} is asked"
    for key, value in found.made_of.items():
        if key != "sources" and wanted.made_of[key] != value:
            return f"`{key}` was {value}, and now is {wanted.made_of[key]}"
    for old, new in zip(found.sources, wanted.sources, strict=True):
        if old.identity.digest != new.identity.digest:
            return f"{old.name} had other content than {new.name} has now"
        if old.left_out != new.left_out:
            return f"other documents of {new.name} are to be left out"
    return "another column was read"


@contextlib.contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Hold the folder; the system lets go of a process that was killed, whose unfinished file is removed."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            for unfinished in folder.glob(".*.u32.*"):
                unfinished.unlink()
            yield
    except Timeout:
        raise Busy(f"Another process is making rows in {folder}.", "Wait for it, or give another folder.") from None
