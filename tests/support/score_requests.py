"""Score requests that share prefixes in every way that packing must follow."""

import random

from backends.contract import ScoreRequest


def some(draw: random.Random, count: int) -> tuple[int, ...]:
    """Random token ids of the tiny models' vocabulary."""
    return tuple(draw.randrange(300) for _ in range(count))


def requests() -> list[ScoreRequest]:
    """Few-shot prefixes, questions with several endings, one-token contexts, duplicates, a context that is another's ending."""
    draw = random.Random(1)
    shots = some(draw, 150)
    made = []
    for document in range(9):
        context = (shots if document % 3 else ()) + some(draw, draw.choice([1, 5, 60, 300]))
        made += [ScoreRequest(context, some(draw, draw.choice([1, 3, 20])), True) for _ in range(4)]
    made += [made[0], ScoreRequest((5,), (7,), True), ScoreRequest(made[0].continuation, (9, 9), True)]
    return made


def in_order(results):
    """Scores or generations in the order of their requests."""
    return sorted(results, key=lambda result: result.index)
