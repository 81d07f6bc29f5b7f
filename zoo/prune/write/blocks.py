"""The bytes of cut tensors, a block of rows at a time: read ahead from the parent's file, sliced, checked.

Plain reads into a few reused buffers, never a mapping: mapped pages would count as this process's memory.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.checkpoint.safetensors import StoredTensor
from zoo.checkpoint.tensor_rows import RawBits, all_finite, from_float, read_into, read_rows, row_bytes, to_float
from zoo.errors import WeightsNotFinite
from zoo.prune.write.cut import Cut, Index

BLOCK = 2 << 20
"""Bytes of one read: large for the disk, small enough to be sliced while still in the processor's cache."""
AHEAD = 6
"""Buffers in turn: one being sliced, the others filled or waiting."""


@dataclass(frozen=True)
class _Piece:
    """One read: rows first … first+count−1 of the parent's tensor, of which `rows` (relative; None: all) stay."""

    cut: Cut
    first: int
    count: int
    rows: Index | None


def cut_blocks(cuts: Iterable[Cut]) -> Iterator[tuple[Cut, RawBits]]:
    """The child's bytes as unsigned integers [rows, columns], cut after cut, top to bottom.

    An array is valid until the next is asked for. Raises WeightsNotFinite where a weight is NaN or infinite.
    """
    scratch = _Scratch()
    for piece, block in _read_ahead(piece for cut in cuts for piece in _pieces(cut)):
        _check_finite(piece.cut.source, block)
        yield piece.cut, _sliced(piece, block, scratch)


def _pieces(cut: Cut) -> Iterator[_Piece]:
    """Reads of at most BLOCK bytes. Each begins at a kept row, so long runs of dropped rows are never read."""
    rows_per_read = max(1, BLOCK // row_bytes(cut.source))
    if cut.rows is None:
        for first in range(0, cut.source.shape[0], rows_per_read):
            yield _Piece(cut, first, min(rows_per_read, cut.source.shape[0] - first), None)
        return
    at = 0
    while at < len(cut.rows):
        first = int(cut.rows[at])
        end = int(np.searchsorted(cut.rows, first + rows_per_read))
        rows = cut.rows[at:end] - first
        count = int(rows[-1]) + 1
        yield _Piece(cut, first, count, None if count == len(rows) else rows)
        at = end


class _Scratch:
    """Two arrays that are used again and again: fresh ones would cost a page fault every 4 KiB."""

    def __init__(self) -> None:
        self._held: dict[str, NDArray[np.uint8]] = {}

    def take(self, name: str, source: RawBits, indices: Index, axis: int) -> RawBits:
        """`source` at `indices` of an axis (all of them exist, so `wrap`, numpy's fastest mode, never wraps)."""
        shape = (len(indices), source.shape[1]) if axis == 0 else (source.shape[0], len(indices))
        need = shape[0] * shape[1] * source.itemsize
        if name not in self._held or len(self._held[name]) < need:
            self._held[name] = np.empty(max(need, BLOCK), np.uint8)
        out = self._held[name][:need].view(source.dtype).reshape(shape)
        return np.take(source, indices, axis=axis, mode="wrap", out=out)


def _sliced(piece: _Piece, block: RawBits, scratch: _Scratch) -> RawBits:
    cut = piece.cut
    if piece.rows is not None:
        block = scratch.take("rows", block, piece.rows, 0)
    if cut.merged is not None:
        block = _with_residual(piece, block)
    return block if cut.columns is None else scratch.take("columns", block, cut.columns, 1)


def _with_residual(piece: _Piece, block: RawBits) -> RawBits:
    """head ← head + (head − pruned head), in fp32, for the rows of the block that have a partner."""
    kept, pruned = piece.cut.merged or (np.empty(0, np.intp), np.empty(0, np.intp))
    here = piece.first + (np.arange(piece.count) if piece.rows is None else piece.rows)
    partner = dict(zip(kept.tolist(), pruned.tolist(), strict=True))
    dtype = piece.cut.source.dtype
    block = block.copy()
    for at, row in enumerate(here.tolist()):
        if row in partner:
            other = to_float(read_rows(piece.cut.source, partner[row], 1)[0], dtype)
            block[at] = from_float(2 * to_float(block[at], dtype) - other, dtype)
    return block


def _check_finite(tensor: StoredTensor, block: RawBits) -> None:
    if not all_finite(block, tensor.dtype):
        raise WeightsNotFinite(
            f"{tensor.name} in {tensor.file} holds NaN or infinity.",
            "The checkpoint is broken: fetch or train it again.",
        )


def _read_ahead(pieces: Iterator[_Piece]) -> Iterator[tuple[_Piece, RawBits]]:
    """Read in a thread of its own, AHEAD buffers in turn; what it raises is raised here."""
    free: queue.Queue[NDArray[np.uint8] | None] = queue.Queue()
    full: queue.Queue[tuple[_Piece, RawBits, NDArray[np.uint8]] | BaseException | None] = queue.Queue()
    for _ in range(AHEAD):
        free.put(np.empty(0, np.uint8))
    reader = threading.Thread(target=_fill, args=(pieces, free, full), daemon=True)
    reader.start()
    try:
        while (item := full.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            piece, block, buffer = item
            yield piece, block
            free.put(buffer)
    finally:
        free.put(None)
        reader.join()


def _fill(
    pieces: Iterator[_Piece],
    free: queue.Queue[NDArray[np.uint8] | None],
    full: queue.Queue[tuple[_Piece, RawBits, NDArray[np.uint8]] | BaseException | None],
) -> None:
    handles: dict[str, int] = {}
    try:
        for piece in pieces:
            buffer = free.get()
            if buffer is None:
                return
            tensor = piece.cut.source
            if len(buffer) < (need := piece.count * row_bytes(tensor)):
                buffer = np.empty(max(need, BLOCK), np.uint8)
            handle = handles.setdefault(str(tensor.file), -1)
            if handle < 0:
                handle = handles[str(tensor.file)] = os.open(tensor.file, os.O_RDONLY)
            full.put((piece, read_into(handle, tensor, piece.first, piece.count, buffer), buffer))
        full.put(None)
    except BaseException as error:
        full.put(error)
    finally:
        for handle in handles.values():
            os.close(handle)
