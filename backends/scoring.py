"""Scores by tree packing, for any engine that can answer one row: requests in, scores out as their rows are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.contract import Score, ScoreRequest
from backends.packing import PrefixTree, Row


class OutOfMemory(Exception):
    """The device cannot hold the row. It is cut in halves; a row of one token has none."""


@dataclass(frozen=True)
class Answers:
    """One entry for each question of a row: log p in nats, fp32, and whether the token is the most probable one."""

    logprobs: NDArray[np.float32]
    greedy: NDArray[np.bool_]


class RowRunner(Protocol):
    """What an engine offers to be used with packing."""

    def run_row(self, row: Row) -> Answers:
        """Answer the row's questions.

        The rows of one call come in order, the first with `row.start == 0`. `row.path_tokens` stand before the row in every
        sequence of it; an engine may compute them again, or keep the keys and values of `row.kept` from one row to the next.
        Raises OutOfMemory, and then is as if it had not been asked.
        """
        ...


class PackedScoring:
    """Gives `score` to a backend that implements `run_row`."""

    row_budget: int = 2048
    """Tokens in one row."""
    capabilities: Any

    def run_row(self, row: Row) -> Answers:
        """See `RowRunner`."""
        raise NotImplementedError

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield every request's score as its row is done; ValueError for what does not fit."""
        for request in requests:
            check_score(request, self.capabilities.max_length)
        return packed_scores(requests, self, self.row_budget)


def packed_scores(requests: Sequence[ScoreRequest], engine: RowRunner, budget: int) -> Iterator[Score]:
    """Yield every request's score as soon as the row with its last token is done.

    When the engine runs out of memory the row is cut in halves, and rows stay as short from then on; nothing that was
    scored is scored again.
    """
    tree = tree_of(requests)
    logprobs = np.empty(int(tree.first_slot[-1]), np.float32)
    greedy = np.empty(len(logprobs), np.bool_)
    start = 0
    while start < len(tree):
        row = tree.row(start, tree.cut(start, budget))
        try:
            answers = engine.run_row(row)
        except OutOfMemory:
            if len(row) == 1:
                raise
            budget = len(row) // 2
            continue
        slots = tree.slots(row)
        logprobs[slots], greedy[slots] = answers.logprobs, answers.greedy
        for index in tree.completed(row.start, row.stop).tolist():
            mine = slice(int(tree.first_slot[index]), int(tree.first_slot[index + 1]))
            per_token = tuple(logprobs[mine].tolist()) if requests[index].per_token else None
            yield Score(index, float(logprobs[mine].sum()), bool(greedy[mine].all()), per_token)
        start = row.stop


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
