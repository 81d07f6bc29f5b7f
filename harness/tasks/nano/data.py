"""The nano suite's data, made when a task is loaded: test items from one side of the split, shots from the other.

lm-eval calls these functions by name (`custom_dataset: !function data.words`) with the task's metadata, whose `seed`
and `items` say which items and how many. `skew` says how much oftener a test names common words than rare ones (0: alike;
training's own skew is higher), `steps` how many numbers its sums add: all within what training covers. Shots are drawn as
training draws.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from datasets import Dataset, DatasetDict

from zoo.nano.kinds import cloze as cloze_kind
from zoo.nano.kinds import code as code_kind
from zoo.nano.kinds import endings as endings_kind
from zoo.nano.kinds import prose as prose_kind
from zoo.nano.kinds import sums as sums_kind
from zoo.nano.kinds import words as words_kind
from zoo.nano.world import Exercise, Maker, for_testing, for_training

SHOTS = 64
"""Items from which few-shot examples are drawn."""

Row = dict[str, Any]


def words(seed: int, items: int, skew: float, **_: Any) -> DatasetDict:
    """Rows of prompt, choices and gold."""
    return _splits(words_kind.make, seed, items, _choice_row, skew=skew)


def endings(seed: int, items: int, skew: float, **_: Any) -> DatasetDict:
    """Rows of prompt, choices and gold."""
    return _splits(endings_kind.make, seed, items, _choice_row, skew=skew)


def cloze(seed: int, items: int, skew: float, **_: Any) -> DatasetDict:
    """Rows of contexts (one an option), gold and the rest that follows each of them."""
    return _splits(cloze_kind.make, seed, items, _cloze_row, skew=skew)


def sums(seed: int, items: int, steps: list[int], **_: Any) -> DatasetDict:
    """Rows of prompt and answer."""
    return _splits(sums_kind.make, seed, items, _row, steps=tuple(steps))


def prose(seed: int, items: int, **_: Any) -> DatasetDict:
    """Rows whose answer is the text."""
    return _splits(prose_kind.make, seed, items, _row)


def code(seed: int, items: int, **_: Any) -> DatasetDict:
    """Rows of prompt, reference answer and the checks that judge a completion."""
    return _splits(code_kind.make, seed, items, _code_row)


def _splits(
    make: Callable[..., Exercise], seed: int, items: int, row: Callable[[Exercise], Row], **asked: Any
) -> DatasetDict:
    """Test items made as `asked`, shots made as training makes them."""
    sides = {"test": (partial(make, **asked), for_testing, items), "train": (make, for_training, SHOTS)}
    return DatasetDict(
        {
            side: Dataset.from_list([row(exercise) for exercise in _distinct(maker, draw, Random(seed), count)])
            for side, (maker, draw, count) in sides.items()
        }
    )


def _distinct(make: Maker, draw: Callable[[Maker, Random], Exercise], rng: Random, count: int) -> list[Exercise]:
    """The first `count` exercises with different keys."""
    found: dict[str, Exercise] = {}
    while len(found) < count:
        exercise = draw(make, rng)
        found.setdefault(exercise.key, exercise)
    return list(found.values())


def _row(exercise: Exercise) -> Row:
    return {"key": exercise.key, "prompt": exercise.prompt, "answer": exercise.answer}


def _choice_row(exercise: Exercise) -> Row:
    choices = list(exercise.choices)
    return _row(exercise) | {"choices": choices, "gold": choices.index(exercise.answer)}


def _cloze_row(exercise: Exercise) -> Row:
    before, after = exercise.prompt.split(cloze_kind.HOLE)
    contexts = [before + choice for choice in exercise.choices]
    return _choice_row(exercise) | {"contexts": contexts, "rest": after.strip()}


def _code_row(exercise: Exercise) -> Row:
    return _row(exercise) | {"checks": "\n".join(code_kind.checks(exercise))}
