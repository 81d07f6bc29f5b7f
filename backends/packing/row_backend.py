"""Packing for a third party's backend: inherit `RowScoring`, answer one row, and shared prefixes are computed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from backends.contract import Capabilities, Score, ScoreRequest
from backends.packing.prefix_tree import Row
from backends.packing.scheduler import Answers
from backends.packing.score import check_score, packed_scores
from backends.packing.worker_pool import WorkerPool, single_worker


class RowScoring:
    """Gives `score` to a backend that implements `run_row` and has `capabilities`."""

    row_budget: int = 2048
    """Tokens in one row at most."""
    shares_prefixes = True
    capabilities: Capabilities

    def run_row(self, row: Row) -> Answers:
        """Answer the row's questions: entry i is about `row.targets[i]` after the token `row.scored[row.asked[i]]`.

        The rows of one call come in order, the first with `row.start == 0`. `row.path_tokens` stand before the row in every
        sequence of it; an engine may compute them again, or keep the keys and values of `row.kept` from one row to the next.
        Raises OutOfMemory, with the engine as it was before the call: the row is then asked in halves.
        """
        raise NotImplementedError

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield every request's score as its row is done; ValueError for what does not fit."""
        for request in requests:
            check_score(request, self.capabilities.max_length)
        return packed_scores(requests, _RowByRow(self), self.row_budget)


class _RowByRow:
    """A `RowEngine` that runs row after row and answers each at once."""

    min_scored_per_head_call = 1

    def __init__(self, backend: RowScoring) -> None:
        self._backend = backend

    def workers(self, rows: int) -> AbstractContextManager[WorkerPool]:
        return single_worker()

    def run_row(self, row: Row, path: None) -> tuple[Answers, None]:
        return self._backend.run_row(row), None

    def shortened(self, path: None, length: int) -> None:
        return None

    def answer(self, rows: Sequence[Row], states: Sequence[Answers]) -> list[Answers]:
        return list(states)
