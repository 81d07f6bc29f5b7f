"""Scores by tree packing, for any engine that can answer one row: requests in, scores out as their rows are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from backends.contract import Score, ScoreRequest
from backends.packing.prefix_tree import PrefixTree, Row
from backends.packing.scheduler import Answers, RowEngine, answered_rows
from backends.packing.worker_pool import WorkerPool, single_worker


class PackedScoring:
    """Gives `score` to a backend that implements `run_row`."""

    row_budget: int = 2048
    """Tokens in one row."""
    capabilities: Any

    def run_row(self, row: Row) -> Answers:
        """Answer the row's questions.

        The rows of one call come in order, the first with `row.start == 0`. `row.path_tokens` stand before the row in every
        sequence of it; an engine may compute them again, or keep the keys and values of `row.kept` from one row to the next.
        Raises OutOfMemory, and then is as if it had not been asked.
        """
        raise NotImplementedError

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield every request's score as its row is done; ValueError for what does not fit."""
        for request in requests:
            check_score(request, self.capabilities.max_length)
        return packed_scores(requests, _InSequence(self), self.row_budget)


class _InSequence:
    """An engine that is asked row after row and answers each at once."""

    min_scored_per_head_call = 1

    def __init__(self, backend: PackedScoring) -> None:
        self._backend = backend

    def workers(self, rows: int) -> AbstractContextManager[WorkerPool]:
        return single_worker()

    def run_row(self, row: Row, path: None) -> tuple[Answers, None]:
        return self._backend.run_row(row), None

    def shortened(self, path: None, length: int) -> None:
        return None

    def answer(self, rows: Sequence[Row], states: Sequence[Answers]) -> list[Answers]:
        return list(states)


def packed_scores(requests: Sequence[ScoreRequest], engine: RowEngine, budget: int) -> Iterator[Score]:
    """Yield every request's score as soon as the row with its last token is answered; see `answered_rows`."""
    tree = tree_of(requests)
    logprobs = np.empty(int(tree.first_slot[-1]), np.float32)
    greedy = np.empty(len(logprobs), np.bool_)
    for row, answers in answered_rows(tree, engine, budget):
        slots = tree.slots(row)
        logprobs[slots], greedy[slots] = answers.logprobs, answers.greedy
        for index in tree.completed(row.start, row.stop).tolist():
            mine = slice(int(tree.first_slot[index]), int(tree.first_slot[index + 1]))
            per_token = tuple(logprobs[mine].tolist()) if requests[index].per_token else None
            yield Score(index, float(logprobs[mine].sum(dtype=np.float64)), bool(greedy[mine].all()), per_token)


def tree_of(requests: Sequence[ScoreRequest]) -> PrefixTree:
    """The prefix tree of score requests: the last token of a continuation is only predicted."""
    return PrefixTree(
        ((request.context + request.continuation)[:-1] for request in requests), [r.continuation for r in requests]
    )


def check_score(request: ScoreRequest, max_length: int) -> None:
    """Raise ValueError for an empty part, or a sequence longer than the model attends to."""
    if not request.context or not request.continuation:
        raise ValueError("a score request needs at least one token of context and one of continuation")
    length = len(request.context) + len(request.continuation) - 1
    if length > max_length:
        raise ValueError(f"a sequence of {length} tokens does not fit into {max_length}")
