"""The files that hold a cache's rows: which row is where. A file is whole or not there, and rows may come in any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.distill.teacher.cache.tensor_file import TensorFile, write_tensors

PREFIX = "rows-"
ROWS, ENDS = "rows", "ends"
"""int64 tensors of a file: its row numbers, and for each the position of the file at which it ends."""


@dataclass(frozen=True)
class Entry:
    """One row's part of a cache: tensors by name, a line for each counted position, [positions, …]."""

    row: int
    tensors: dict[str, Tensor]

    @property
    def positions(self) -> int:
        """Counted positions of the row."""
        return len(next(iter(self.tensors.values())))


@dataclass(frozen=True)
class Place:
    """Where a row's entry is."""

    file: TensorFile
    first: int
    end: int

    def read(self, name: str) -> Tensor:
        """The row's lines of that tensor."""
        return self.file.read(name, self.first, self.end)


def write_shard(folder: Path, entries: Sequence[Entry], identity: str) -> int:
    """Write a file of these rows, atomically, named after the first; returns its bytes."""
    parts = {
        ROWS: [torch.tensor([entry.row for entry in entries])],
        ENDS: [torch.tensor([entry.positions for entry in entries]).cumsum(0)],
        **{name: [entry.tensors[name] for entry in entries] for name in entries[0].tensors},
    }
    return write_tensors(folder / _name(entries[0].row), parts, identity)


def remove_unfinished(folder: Path, rows: Iterable[int]) -> None:
    """Remove what a killed process left of the files that begin with these rows."""
    begun = {f".{_name(row)}." for row in rows}
    for path in folder.glob(f".{PREFIX}*"):
        if path.name[: path.name.rfind(".") + 1] in begun:
            path.unlink(missing_ok=True)


class Shards:
    """All files of a cache, by their headers, and where each row is.

    Raises CacheBroken for a file that is not whole or of another cache; a row that is in two of them is taken from either.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.files = [TensorFile(path, identity) for path in sorted(folder.glob(f"{PREFIX}*.safetensors"))]
        rows, firsts, ends, files = [_none()], [_none()], [_none()], [_none()]
        for at, file in enumerate(self.files):
            end = file.read(ENDS).numpy()
            rows.append(file.read(ROWS).numpy())
            ends.append(end)
            firsts.append(np.concatenate([[0], end[:-1]]))
            files.append(np.full(len(end), at))
        self.rows, order = np.unique(np.concatenate(rows), return_index=True)
        self._firsts, self._ends, self._files = (np.concatenate(each)[order] for each in (firsts, ends, files))

    @property
    def positions(self) -> int:
        """Counted positions of all rows."""
        return int((self._ends - self._firsts).sum())

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def missing(self, rows: Iterable[int]) -> list[int]:
        """Those of the rows that no file has, in order."""
        return np.setdiff1d(np.array(list(rows), dtype=np.int64), self.rows).tolist()

    def place(self, row: int) -> Place | None:
        """Where the row is; None where it is nowhere."""
        at = int(np.searchsorted(self.rows, row))
        if at == len(self.rows) or self.rows[at] != row:
            return None
        return Place(self.files[self._files[at]], int(self._firsts[at]), int(self._ends[at]))


def _name(row: int) -> str:
    return f"{PREFIX}{row:010d}.safetensors"


def _none() -> NDArray[Any]:
    return np.zeros(0, dtype=np.int64)
