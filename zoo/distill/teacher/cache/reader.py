"""A teacher that is a folder: what one said before, read for each batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from zoo.distill.batch import Batch, ExactTargets, SampledTargets, counted
from zoo.distill.teacher.cache import head_file
from zoo.distill.teacher.cache.entries import names_of, targets_of
from zoo.distill.teacher.cache.manifest import Exact, Manifest, check_same, identity_of, read_manifest
from zoo.distill.teacher.cache.shards import Place, Shards
from zoo.distill.teacher.cache.tensor_file import TensorFile
from zoo.distill.teacher.cache.writer import Progress
from zoo.errors import CacheIncomplete, CacheOfOtherData


class CachedTeacher:
    """Targets of rows from a cache. An exact one has the teacher's head in memory, a sampled one nothing of the teacher.

    Raises CacheBroken where a file is missing or broken, and CacheOfOther… where it is not the cache that `wanted` says.
    """

    def __init__(self, folder: Path, wanted: Manifest | None = None, device: torch.device | str = "cpu") -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        if wanted is not None:
            check_same(folder, self.manifest, wanted)
        self.device = torch.device(device)
        self.digest = self.manifest.teacher
        self.vocabulary = self.manifest.vocabulary
        identity = identity_of(self.manifest)
        self._shards = Shards(folder, identity)
        exact = isinstance(self.manifest.form, Exact)
        self._head = head_file.read_head(folder, self.manifest, identity, self.device) if exact else None

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return len(self._shards.rows)

    def check_rows(self, rows: Iterable[int]) -> None:
        """Raise CacheIncomplete where one of these rows is not in it, before a run depends on them."""
        missing = self._shards.missing(rows)
        if missing:
            raise self._lacking(missing)

    def targets(self, batch: Batch) -> ExactTargets | SampledTargets:
        """Targets of the counted positions, in the order of rows and positions, on its device.

        Raises CacheIncomplete for a row that it lacks, CacheOfOtherData for one of which other positions count.
        """
        places = [self._place(row) for row in batch.rows]
        expected = counted(batch).sum(1).tolist()
        for row, place, positions in zip(batch.rows, places, expected, strict=True):
            if place.end - place.first != positions:
                raise CacheOfOtherData(
                    f"Row {row} has {positions} counted positions, in the teacher's cache of {self.folder} "
                    f"{place.end - place.first}.",
                    "Give the data that it was made for, or another --teacher-cache.",
                )
        kept = {
            name: torch.cat([place.read(name) for place in places]).to(self.device, non_blocking=True)
            for name in names_of(self.manifest.form)
        }
        return targets_of(self.manifest.form, kept, self._head, self.vocabulary)

    def _place(self, row: int) -> Place:
        place = self._shards.place(row)
        if place is None:
            raise self._lacking([row])
        return place

    def _lacking(self, rows: Sequence[int]) -> CacheIncomplete:
        return CacheIncomplete(
            f"The teacher's cache in {self.folder} lacks {len(rows):,} rows of the data, the first is row {rows[0]}.",
            "The command that made it goes on with it.",
        )


def check_cache(folder: Path, progress: Progress | None = None) -> Manifest:
    """Read all of a cache and compare it with the digests in its files; returns its manifest.

    Raises CacheBroken for a file that is missing or has other bytes than were written. Writes nothing.
    """
    manifest = read_manifest(folder)
    identity = identity_of(manifest)
    files = Shards(folder, identity).files
    if isinstance(manifest.form, Exact):
        files = [TensorFile(folder / head_file.NAME, identity), *files]
    for done, file in enumerate(files, 1):
        file.check()
        if progress:
            progress("files of the teacher's cache", done, len(files))
    return manifest
