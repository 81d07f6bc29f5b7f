"""Small Python functions: a head with its specification in words, and the body that meets it."""

from __future__ import annotations

from random import Random
from typing import Any

from zoo.nano.world import Exercise

FUNCTIONS = ("solve", "work", "apply", "find", "make", "get")
LABELS = ("low", "high", "yes", "no", "good", "bad", "left", "right")
SMALLEST, LARGEST = 2, 9

STEPS = (
    ("plus {k}", "{x} + {k}"),
    ("minus {k}", "{x} - {k}"),
    ("times {k}", "{x} * {k}"),
    ("squared", "{x} ** 2"),
)
"""What is done to a number: in words, in Python."""

TESTS = (
    ("even", "x % 2 == 0"),
    ("odd", "x % 2 == 1"),
    ("positive", "x > 0"),
    ("negative", "x < 0"),
    ("above {k}", "x > {k}"),
    ("below {k}", "x < {k}"),
    ("equal to {k}", "x == {k}"),
)
"""What a number can be."""

COLLECTS = (
    ("the list of the numbers", "[{items}]"),
    ("the sorted list of the numbers", "sorted({items})"),
    ("the sum of the numbers", "sum({items})"),
    ("the count of the numbers", "len([{items}])"),
)
"""What becomes of many numbers."""

TRIALS = tuple(range(-3, 13))
"""Every number from below zero to beyond any constant, so that each boundary is tried."""


def make(rng: Random) -> Exercise:
    """One specification with the body that meets it."""
    parameter, wanted, value = rng.choice((_number, _label, _collection, _collection))(rng)
    prompt = f'def {rng.choice(FUNCTIONS)}({parameter}):\n    """Return {wanted}."""\n'
    body = f"    return {value}"
    return Exercise(key=f"Return {wanted}.", prompt=prompt, answer=body, forms=(prompt + body,))


def checks(exercise: Exercise) -> tuple[str, ...]:
    """Assertions that the function must pass; the expected values are what the reference body returns."""
    namespace: dict[str, Any] = {}
    exec(exercise.prompt + exercise.answer, namespace)
    head = exercise.prompt.split("(")[0]
    name = head.removeprefix("def ")
    rng = Random(exercise.key)
    if "(xs)" in exercise.prompt:
        arguments: list[Any] = [[], list(TRIALS), *(rng.choices(TRIALS, k=8) for _ in range(3))]
    else:
        arguments = list(TRIALS)
    return tuple(f"assert {name}({argument!r}) == {namespace[name](argument)!r}" for argument in arguments)


def _number(rng: Random) -> tuple[str, str, str]:
    first, second = _filled(rng, STEPS), _filled(rng, STEPS)
    inner = first[1].format(x="x")
    return "x", f"x {first[0]}, then {second[0]}", second[1].format(x=f"({inner})")


def _label(rng: Random) -> tuple[str, str, str]:
    words, test = _filled(rng, TESTS)
    then, other = rng.sample(LABELS, 2)
    return "x", f"'{then}' if x is {words}, else '{other}'", f"'{then}' if {test} else '{other}'"


def _collection(rng: Random) -> tuple[str, str, str]:
    words, test = _filled(rng, TESTS)
    gathered, collect = rng.choice(COLLECTS)
    change, changed = _filled(rng, STEPS)
    if rng.random() < 0.3:
        change, changed = "as they are", "{x}"
    items = f"{changed.format(x='x')} for x in xs if {test}"
    return "xs", f"{gathered} in xs that are {words}, {change}", collect.format(items=items)


def _filled(rng: Random, table: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """A row of the table with a constant in its place; the slot for x stays open."""
    words, python = rng.choice(table)
    k = str(rng.randint(SMALLEST, LARGEST))
    return words.replace("{k}", k), python.replace("{k}", k)
