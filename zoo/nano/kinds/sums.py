"""Two-digit addition in small stories, answered in the manner of GSM8K."""

from __future__ import annotations

from random import Random

from zoo.nano.world import FRUITS, NAMES, Exercise, objective, pronoun

LOWEST, HIGHEST = 10, 99

EVENTS = ("{other} gives {her} {b} more.", "{she} finds {b} more.", "{other} brings {her} {b} more.")


def make(rng: Random) -> Exercise:
    """A story of two numbers and their sum."""
    a, b = rng.randint(LOWEST, HIGHEST), rng.randint(LOWEST, HIGHEST)
    name, other = rng.sample(NAMES, 2)
    fruit = rng.choice(FRUITS)
    event = rng.choice(EVENTS).format(b=b, other=other, her=objective(name), she=pronoun(name).capitalize())
    equation = f"{a} + {b} = {a + b}"
    prompt = f"Question: {name} has {a} {fruit}. {event} How many {fruit} now?\nAnswer:"
    answer = f"{equation}\n#### {a + b}"
    return Exercise(key=key(a, b), prompt=prompt, answer=answer, forms=(f"{prompt} {answer}", equation))


def key(a: int, b: int) -> str:
    """The pair of operands, whatever their order."""
    return f"{min(a, b)} and {max(a, b)}"
