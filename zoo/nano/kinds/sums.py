"""Two-digit addition and subtraction in small stories, answered in the manner of GSM8K."""

from __future__ import annotations

from random import Random

from zoo.nano.world import FRUITS, NAMES, Exercise, objective, pronoun

LOWEST, HIGHEST = 10, 99

MORE = ("{other} gives {her} {b} more.", "Then {she} finds {b} more.", "{other} brings {her} {b} more.")
FEWER = ("{she} gives {b} to {other}.", "Then {she} loses {b}.", "{other} takes {b} of them.")


def make(rng: Random) -> Exercise:
    """A story of two numbers. Sum and difference of one pair share a key, so that neither helps with the other."""
    a, b = rng.randint(LOWEST, HIGHEST), rng.randint(LOWEST, HIGHEST)
    adding = a < b or rng.random() < 0.4
    result = a + b if adding else a - b
    equation = f"{a} {'+' if adding else '-'} {b} = {result}"

    name, other = rng.sample(NAMES, 2)
    fruit = rng.choice(FRUITS)
    event = rng.choice(MORE if adding else FEWER).format(b=b, other=other, her=objective(name), she=pronoun(name))
    event = event[0].upper() + event[1:]
    story = f"{name} has {a} {fruit}. {event}"
    prompt = f"Question: {story} How many {fruit} does {name} have now?\nAnswer:"
    answer = f"{equation}\n#### {result}"
    return Exercise(
        key=key(a, b),
        prompt=prompt,
        answer=answer,
        forms=(f"{prompt} {answer}", equation, f"{story} Now {name} has {result} {fruit}."),
    )


def key(a: int, b: int) -> str:
    """The pair of operands, whatever their order and the operation."""
    return f"{min(a, b)} and {max(a, b)}"
