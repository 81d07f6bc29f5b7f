"""Questions about four stated facts; the answer is one word. Asks for binding: who has what."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from zoo.nano.world import COLOURS, FOODS, NAMES, PETS, ROOMS, THINGS, Exercise

PEOPLE = 4
"""People in a story, hence choices in a question: chance is one in four."""


@dataclass(frozen=True)
class Relation:
    """How a person and a value are tied, and how one is asked by the other."""

    values: tuple[str, ...]
    fact: str
    ask_value: str
    ask_name: str
    told: str


RELATIONS = (
    Relation(
        COLOURS,
        "{name} has a {value} {thing}.",
        "What colour is {name}'s {thing}?",
        "Who has the {value} {thing}?",
        "The {thing} of {name} is {value}.",
    ),
    Relation(
        ROOMS,
        "{name} is in the {value}.",
        "In which place is {name}?",
        "Who is in the {value}?",
        "So {name} can be found in the {value}.",
    ),
    Relation(
        PETS,
        "{name} has a {value}.",
        "Which animal does {name} have?",
        "Who has the {value}?",
        "The {value} belongs to {name}.",
    ),
    Relation(
        FOODS,
        "{name} likes {value}.",
        "What does {name} like?",
        "Who likes {value}?",
        "So {name} often eats {value}.",
    ),
)


def make(rng: Random) -> Exercise:
    """Four people, four values of one relation, and a question that one of them answers."""
    relation = rng.choice(RELATIONS)
    thing = rng.choice(THINGS)
    names = rng.sample(NAMES, PEOPLE)
    values = rng.sample(relation.values, PEOPLE)
    asked = rng.randrange(PEOPLE)
    by_name = rng.random() < 0.5

    story = " ".join(relation.fact.format(name=n, value=v, thing=thing) for n, v in zip(names, values, strict=True))
    slots = {"name": names[asked], "value": values[asked], "thing": thing}
    question = (relation.ask_value if by_name else relation.ask_name).format(**slots)
    choices = tuple(values if by_name else names)
    prompt = f"{story}\nQuestion: {question}\nAnswer:"
    return Exercise(
        key=story,
        prompt=prompt,
        answer=choices[asked],
        choices=choices,
        forms=(f"{prompt} {choices[asked]}", f"{story} {relation.told.format(**slots)}"),
    )
