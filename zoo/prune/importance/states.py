"""Hidden states of all calibration rows between two layers, in files, so that a streamed pass is small and resumable."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from zoo.errors import DiskFull
from zoo.files import atomic_file


@dataclass(frozen=True)
class States:
    """One file of fp32 [rows, length, hidden], read and written a few rows at a time."""

    path: Path
    rows: int
    length: int
    hidden: int

    def batches(self, size: int) -> Iterator[tuple[int, torch.Tensor]]:
        """(first row, [rows, length, hidden]) in order."""
        for first in range(0, self.rows, size):
            yield first, self.read(first, min(size, self.rows - first))

    def read(self, first: int, count: int) -> torch.Tensor:
        """Rows first … first+count−1."""
        per_row = self.length * self.hidden
        values = np.fromfile(self.path, np.float32, count * per_row, offset=first * per_row * 4)
        return torch.from_numpy(values).view(count, self.length, self.hidden)

    def write(self, batches: Iterator[torch.Tensor]) -> None:
        """Replace the file by these rows, atomically. Raises DiskFull where the disk is full."""
        try:
            with atomic_file(self.path) as file:
                for batch in batches:
                    file.write(batch.float().cpu().contiguous().numpy().data)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise DiskFull(
                f"The disk of {self.path.parent.parent} became full while hidden states were written.",
                "Free some space and give the same command: it goes on after the last finished layer.",
            ) from None
