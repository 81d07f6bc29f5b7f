"""Scores by tree packing, for any `RowEngine`: each request's score as soon as its last row is answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from backends.contract import Score, ScoreRequest
from backends.packing.prefix_tree import PrefixTree
from backends.packing.scheduler import RowEngine, answered_rows


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
