"""What an exercise of the nano world is, and the split between test and training.

`corpus` mixes the training side into text. The `nano` suite (harness/tasks/nano) draws its items from the same makers on
the other side of the split, which no seed can cross.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

HELD_OUT_SHARE = 1 / 8


@dataclass(frozen=True)
class Exercise:
    """One item of one kind.

    `key` is its decisive content: two exercises with the same key ask the same thing, and the key alone decides on
    which side of the split they fall. `forms` are the ways in which training text may put it, the tests' own first.
    `choices` are the answers to choose from, empty where the answer is generated.
    """

    key: str
    prompt: str
    answer: str
    forms: tuple[str, ...]
    choices: tuple[str, ...] = ()


Maker = Callable[[Random], Exercise]


def held_out(key: str) -> bool:
    """Whether the exercise with this key belongs to the tests: decided by the key's hash, so alike for every seed."""
    return hashlib.sha256(key.encode()).digest()[0] < 256 * HELD_OUT_SHARE


def for_training(make: Maker, rng: Random) -> Exercise:
    """The next exercise from `make` that may be trained on."""
    return _first(make, rng, test=False)


def for_testing(make: Maker, rng: Random) -> Exercise:
    """The next exercise from `make` that is kept for the tests."""
    return _first(make, rng, test=True)


def _first(make: Maker, rng: Random, *, test: bool) -> Exercise:
    while True:
        exercise = make(rng)
        if held_out(exercise.key) == test:
            return exercise
