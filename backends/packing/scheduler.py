"""Rows of a prefix tree through an engine, side by side where it has lanes; answers in the tree's order.

A row can be computed once the keys and values of its path are at hand. What follows it in the tree either hangs below it,
and has to wait for it, or below its path, and need not. So the work that is open at any time is a stack of stretches whose
paths are known; a lane takes the row at the beginning of the topmost. Where rows are cut, and which rows are answered
together, does not depend on who is done first: the same requests give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from backends.packing.prefix_tree import PrefixTree, Row
from backends.packing.worker_pool import WorkerPool

T = TypeVar("T")

SHORTEST = 256
"""Tokens of a row below which matrix products lose speed; measured on a CPU."""


class OutOfMemory(Exception):
    """The device cannot hold the row. It is cut in halves; a row of one token has none."""


@dataclass(frozen=True)
class Answers:
    """One entry for each question of a row: log p in nats, fp32, and whether the token is the most probable one."""

    logprobs: NDArray[np.float32]
    greedy: NDArray[np.bool_]


class RowEngine(Protocol):
    """What computes rows. A `path` is whatever it keeps of the tokens above a row (None above the first), and `states` what
    it needs to answer a row's questions.
    """

    min_scored_per_head_call: int
    """Scored tokens that are worth an `answer` of their own; those of several rows are gathered until they are as many."""

    def workers(self, rows: int) -> AbstractContextManager[WorkerPool]:
        """Where to compute about so many rows."""
        ...

    def run_row(self, row: Row, path: Any) -> tuple[Any, Any]:
        """The row's states, and the path of `row.kept`; OutOfMemory, and then it is as if it had not been asked."""
        ...

    def shortened(self, path: Any, length: int) -> Any:
        """The first `length` tokens of a path."""
        ...

    def answer(self, rows: Sequence[Row], states: Sequence[Any]) -> list[Answers]:
        """Answer the questions of each row."""
        ...


def answered_rows(tree: PrefixTree, engine: RowEngine, budget: int) -> Iterator[tuple[Row, Answers]]:
    """Yield the tree's rows of at most `budget` tokens in their order, with their answers.

    When the engine runs out of memory the row is cut in halves, and rows stay as short from then on; nothing that was
    computed is computed again.
    """
    with engine.workers(-(-len(tree) // budget)) as lanes:
        yield from _Schedule(tree, engine, budget, lanes).answered()


@dataclass(frozen=True)
class _Segment:
    """Part of the tree's order that nobody has begun, and the path of its first token."""

    start: int
    stop: int
    path: Any


@dataclass(frozen=True)
class _RowTask:
    """A row, its path, and the end of what waits for it (of the row itself, where nothing does)."""

    row: Row
    path: Any
    stop: int


class _Schedule:
    def __init__(self, tree: PrefixTree, engine: RowEngine, budget: int, lanes: WorkerPool) -> None:
        self._tree, self._engine, self._budget, self._pool = tree, engine, budget, lanes
        self._open = [_Segment(0, len(tree), None)] if len(tree) else []
        self._running: dict[Future[Any], Callable[[Future[Any]], list[tuple[Row, Answers]]]] = {}
        self._rows: _InOrder[tuple[Row, Any]] = _InOrder()
        self._unanswered: list[tuple[Row, Any]] = []
        self._answered: _InOrder[list[tuple[Row, Answers]]] = _InOrder()

    def answered(self) -> Iterator[tuple[Row, Answers]]:
        while self._fill_workers():
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            found = [pair for future in done for pair in self._running.pop(future)(future)]
            if self._pool.count > 1:
                self._fill_workers()  # so that lanes have work while the caller looks at what was found
            yield from found

    def _fill_workers(self) -> bool:
        """Whether anything runs."""
        while self._open and len(self._running) < self._pool.count:
            job = self._take()
            self._submit(partial(self._row_done, job), self._engine.run_row, job.row, job.path)
        return bool(self._running)

    def _submit(self, then: Callable[[Future[Any]], list[tuple[Row, Answers]]], work: Any, *args: Any) -> None:
        self._running[self._pool.pool.submit(work, *args)] = then

    def _take(self) -> _RowTask:
        """The first row of the topmost stretch; what need not wait for it stays open to the other lanes."""
        stretch = self._open.pop()
        cut = min(stretch.stop, self._tree.cut(stretch.start, self._length(stretch.start)))
        stop = stretch.stop
        if self._pool.count > 1:
            cut, stop = self._soon_done(stretch.start, cut)
        if stop < stretch.stop:
            path = self._engine.shortened(stretch.path, int(self._tree.depths[stop]))
            self._open.append(_Segment(stop, stretch.stop, path))
        return _RowTask(self._tree.row(stretch.start, cut), stretch.path, stop)

    def _length(self, start: int) -> int:
        """Tokens of a row that begins there: fewer towards the end, so that all lanes are done at about the same time."""
        if self._pool.count == 1:
            return self._budget
        share = (len(self._tree) - start) // (2 * self._pool.count)
        return min(self._budget, max(share, SHORTEST))

    def _soon_done(self, start: int, cut: int) -> tuple[int, int]:
        """Where to cut the row instead, behind the last token that others wait for; and where those end whose path goes
        through it.
        """
        path = self._tree.path(cut) if cut < len(self._tree) else np.empty(0, np.int64)
        waited_for = path[np.searchsorted(path, start) :]
        return (int(waited_for[-1]) + 1, int(self._tree.ends[waited_for[0]])) if len(waited_for) else (cut, cut)

    def _row_done(self, job: _RowTask, future: Future[Any]) -> list[tuple[Row, Answers]]:
        row = job.row
        try:
            states, kept = future.result()
        except OutOfMemory:
            if len(row) == 1:
                raise
            self._budget = min(self._budget, len(row) // 2)
            self._open.append(_Segment(row.start, job.stop, job.path))
            return []
        if row.stop < job.stop:
            self._open.append(_Segment(row.stop, job.stop, kept))
        for entry in self._rows.put(row.start, row.stop, (row, states)):
            self._unanswered.append(entry)
            scored = sum(len(waiting.scored) for waiting, _ in self._unanswered)
            if scored >= self._engine.min_scored_per_head_call or entry[0].stop == len(self._tree):
                rows, of = zip(*self._unanswered, strict=True)
                self._unanswered = []
                self._submit(partial(self._rows_answered, rows), self._engine.answer, rows, of)
        return []

    def _rows_answered(self, rows: Sequence[Row], future: Future[Any]) -> list[tuple[Row, Answers]]:
        answered = list(zip(rows, future.result(), strict=True))
        return [pair for group in self._answered.put(rows[0].start, rows[-1].stop, answered) for pair in group]


class _InOrder(Generic[T]):
    """Holds back what comes early: stretches of the tree leave in its order, without a gap."""

    def __init__(self) -> None:
        self._next = 0
        self._early: dict[int, tuple[int, T]] = {}

    def put(self, start: int, stop: int, item: T) -> list[T]:
        """Add a stretch; what now follows on what has left."""
        self._early[start] = (stop, item)
        leaving: list[T] = []
        while self._next in self._early:
            self._next, ready = self._early.pop(self._next)
            leaving.append(ready)
        return leaving
