"""Schedule the rows of a prefix tree on an engine's workers; yield their answers in the tree's order.

A row can be computed once the keys and values of its path are there. What follows it in the tree either hangs below the row,
and then needs its keys, or below the row's path. So a segment of the tree's order is in one of these states:

    open       its path is there; a free worker takes the one opened last
    running    its first row is computed; the rest of it, below that row, waits
    done       its rows have states, which wait for those before them in the tree, and then for a call of the head

    open    → running              `_take`: a free worker computes the first row; what hangs below its path alone is open
    running → done (+ open)        `_row_done`: what waited below the row is open now
    running → open                 `_row_done` on OutOfMemory: rows are half as long from then on

Where rows are cut, and which rows share a call of the head, does not depend on which worker is done first: the same
requests give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypeVar

from backends.contract import OutOfMemory
from backends.packing.prefix_tree import PrefixTree, Row
from backends.packing.worker_pool import WorkerPool

SHORTEST = 256
"""Tokens of a row below which matrix products lose speed; measured on a CPU."""


@dataclass(frozen=True)
class Answers:
    """One entry for each question of a row: log p in nats, fp32, and whether the token is the most probable one."""

    logprobs: NDArray[np.float32]
    greedy: NDArray[np.bool_]


T = TypeVar("T")
A = TypeVar("A", default=Answers)


class RowEngine(Protocol[A]):
    """What computes rows. A `path` is whatever it keeps of the tokens above a row (None above the first), and `states` what
    it needs to answer a row's questions. What it answers with is its own affair (`Answers` for scores).
    """

    min_scored_per_head_call: int
    """Scored tokens that are worth an `answer` of their own; those of several rows are gathered until they are as many."""

    def workers(self, rows: int) -> AbstractContextManager[WorkerPool]:
        """Where to compute about so many rows."""
        ...

    def run_row(self, row: Row, path: Any) -> tuple[Any, Any]:
        """The row's states, and the path of `row.kept`. OutOfMemory leaves the engine as before the call."""
        ...

    def shortened(self, path: Any, length: int) -> Any:
        """The first `length` tokens of a path."""
        ...

    def answer(self, rows: Sequence[Row], states: Sequence[Any]) -> list[A]:
        """Answer the questions of each row."""
        ...


def answered_rows(tree: PrefixTree, engine: RowEngine[A], budget: int) -> Iterator[tuple[Row, A]]:
    """Yield the tree's rows of at most `budget` tokens in their order, with their answers.

    When the engine runs out of memory the row is cut in halves, and rows stay as short from then on; nothing that was
    computed is computed again. OutOfMemory for a row of one token.
    """
    with engine.workers(-(-len(tree) // budget)) as workers:
        yield from _Schedule(tree, engine, budget, workers).answered()


@dataclass(frozen=True)
class _OpenSegment:
    """Tokens `start:stop` of the tree, of which none is computed, and the path of the first."""

    start: int
    stop: int
    path: Any


@dataclass(frozen=True)
class _RunningSegment:
    """A segment whose first row is being computed; what follows the row, up to `stop`, hangs below it and waits."""

    row: Row
    stop: int
    path: Any


class _Schedule(Generic[A]):
    def __init__(self, tree: PrefixTree, engine: RowEngine[A], budget: int, workers: WorkerPool) -> None:
        self._tree, self._engine, self._budget, self._workers = tree, engine, budget, workers
        self._open = [_OpenSegment(0, len(tree), None)] if len(tree) else []
        self._running: dict[Future[Any], Callable[[Future[Any]], list[tuple[Row, A]]]] = {}
        self._computed: _InOrder[tuple[Row, Any]] = _InOrder()
        self._unanswered: list[tuple[Row, Any]] = []
        self._answered: _InOrder[list[tuple[Row, A]]] = _InOrder()

    def answered(self) -> Iterator[tuple[Row, A]]:
        while self._fill_workers():
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            found = [pair for future in done for pair in self._running.pop(future)(future)]
            if self._workers.count > 1:
                self._fill_workers()  # so that workers compute while the caller handles what was found
            yield from found

    def _fill_workers(self) -> bool:
        """Give every free worker a row; whether anything runs."""
        while self._open and len(self._running) < self._workers.count:
            segment = self._take()
            self._submit(partial(self._row_done, segment), self._engine.run_row, segment.row, segment.path)
        return bool(self._running)

    def _submit(self, then: Callable[[Future[Any]], list[tuple[Row, A]]], work: Any, *args: Any) -> None:
        self._running[self._workers.executor.submit(work, *args)] = then

    def _take(self) -> _RunningSegment:
        """The first row of the topmost open segment; what hangs below its path alone stays open for the other workers."""
        segment = self._open.pop()
        cut = min(segment.stop, self._tree.cut(segment.start, self._length(segment.start)))
        stop = segment.stop
        if self._workers.count > 1:
            cut, stop = self._first_needed(segment.start, cut)
        if stop < segment.stop:
            path = self._engine.shortened(segment.path, int(self._tree.depths[stop]))
            self._open.append(_OpenSegment(stop, segment.stop, path))
        return _RunningSegment(self._tree.row(segment.start, cut), stop, segment.path)

    def _length(self, start: int) -> int:
        """Tokens of a row that begins there: fewer towards the end, so that all workers are done at about the same time."""
        if self._workers.count == 1:
            return self._budget
        share = (len(self._tree) - start) // (2 * self._workers.count)
        return min(self._budget, max(share, SHORTEST))

    def _first_needed(self, start: int, cut: int) -> tuple[int, int]:
        """A shorter row and its segment's end, so that other workers wait for few tokens.

        The row ends behind its last token that is on the path of what follows it; the segment, with the subtree of the first.
        """
        path = self._tree.path(cut) if cut < len(self._tree) else np.empty(0, np.int64)
        needed = path[np.searchsorted(path, start) :]
        return (int(needed[-1]) + 1, int(self._tree.ends[needed[0]])) if len(needed) else (cut, cut)

    def _row_done(self, segment: _RunningSegment, future: Future[Any]) -> list[tuple[Row, A]]:
        row = segment.row
        try:
            states, kept = future.result()
        except OutOfMemory:
            if len(row) == 1:
                raise
            self._budget = min(self._budget, len(row) // 2)
            self._open.append(_OpenSegment(row.start, segment.stop, segment.path))
            return []
        if row.stop < segment.stop:
            self._open.append(_OpenSegment(row.stop, segment.stop, kept))
        for entry in self._computed.put(row.start, row.stop, (row, states)):
            self._gather(*entry)
        return []

    def _gather(self, row: Row, states: Any) -> None:
        """Call the head once enough scored tokens are there, or the tree ends."""
        self._unanswered.append((row, states))
        scored = sum(len(waiting.scored) for waiting, _ in self._unanswered)
        if scored >= self._engine.min_scored_per_head_call or row.stop == len(self._tree):
            rows, gathered = zip(*self._unanswered, strict=True)
            self._unanswered = []
            self._submit(partial(self._rows_answered, rows), self._engine.answer, rows, gathered)

    def _rows_answered(self, rows: Sequence[Row], future: Future[Any]) -> list[tuple[Row, A]]:
        answered = list(zip(rows, future.result(), strict=True))
        return [pair for group in self._answered.put(rows[0].start, rows[-1].stop, answered) for pair in group]


class _InOrder(Generic[T]):
    """A reorder buffer: items of segments are put in any order and leave in the tree's, without a gap."""

    def __init__(self) -> None:
        self._next = 0
        self._early: dict[int, tuple[int, T]] = {}

    def put(self, start: int, stop: int, item: T) -> list[T]:
        """Add the item of a segment; returns the items that can leave now."""
        self._early[start] = (stop, item)
        leaving: list[T] = []
        while self._next in self._early:
            self._next, ready = self._early.pop(self._next)
            leaving.append(ready)
        return leaving
