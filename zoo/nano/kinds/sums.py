"""Stories of a number that grows in several steps, answered step by step in the manner of GSM8K."""

from __future__ import annotations

from random import Random

from zoo.nano.lexicon import NAMES, objective, pronoun
from zoo.nano.world import Exercise, held_out

LOWEST = 10
HIGHEST = (99,)
"""The largest number of a story: of two digits."""
STEPS = (1, 1, 2)
"""How often a number is added: one of these, so once in two of three stories."""

FRUITS = ("pears", "plums", "nuts", "beans", "figs", "limes")
EVENTS = ("{other} gives {her} {b} more.", "{she} finds {b} more.", "{other} brings {her} {b} more.")


def make(rng: Random, steps: tuple[int, ...] = STEPS, highest: tuple[int, ...] = HIGHEST) -> Exercise:
    """A story of a number, what is added to it, and the sum; drawn from the lengths `steps` and the ranges up to `highest`.

    Every pair that is added falls on the same side of the split as the first, which is the key, so that no step of a test is
    a step of training.
    """
    top = rng.choice(highest)
    total = start = rng.randint(LOWEST, top)
    added: list[int] = []
    equations: list[str] = []
    for _ in range(rng.choice(steps)):
        b = rng.randint(LOWEST, top)
        while added and held_out(key(total, b)) != held_out(key(start, added[0])):
            b = rng.randint(LOWEST, top)
        equations.append(f"{total} + {b} = {total + b}")
        added.append(b)
        total += b
    name, other = rng.sample(NAMES, 2)
    fruit = rng.choice(FRUITS)
    slots = {"other": other, "her": objective(name), "she": pronoun(name).capitalize()}
    story = " ".join(rng.choice(EVENTS).format(b=b, **slots) for b in added)
    prompt = f"Question: {name} has {start} {fruit}. {story} How many {fruit} now?\nAnswer:"
    answer = "\n".join((*equations, f"#### {total}"))
    return Exercise(
        key=key(start, added[0]), prompt=prompt, answer=answer, forms=(f"{prompt} {answer}", "\n".join(equations))
    )


def key(a: int, b: int) -> str:
    """The pair of operands, whatever their order."""
    return f"{min(a, b)} and {max(a, b)}"
