"""Sentences of two of whom one must be meant, by what is then said (the Winograd manner)."""

from __future__ import annotations

from random import Random

from zoo.nano.world import FOODS, NAMES, PETS, ROOMS, THINGS, Exercise

HOLE = "_"

SAID = {
    PETS: ("was hungry", "ran off on four legs", "wanted to be fed", "shook its tail"),
    FOODS: ("tasted good", "was eaten up", "was served on a plate", "went bad in the heat"),
    THINGS: ("was made by hand", "had been bought new", "was put on a shelf", "cost too much"),
}
"""What may be said of each class, and of no other."""

SCENES = (
    "{name} had {a} and {b} in the {room}.",
    "There were {a} and {b} in the {room} when {name} came.",
    "{name} went to the {room} and saw {a} and {b}.",
)


def make(rng: Random) -> Exercise:
    """A scene with two of different classes, and a sentence with a hole whose end only one of them fits."""
    classes = rng.sample(tuple(SAID), 2)
    pair = tuple(rng.choice(each) for each in classes)
    meant = rng.randrange(2)
    slots = {"name": rng.choice(NAMES), "room": rng.choice(ROOMS), "a": f"the {pair[0]}", "b": f"the {pair[1]}"}
    sentence = f"{rng.choice(SCENES).format(**slots)} The {HOLE} {rng.choice(SAID[classes[meant]])}."
    whole = sentence.replace(HOLE, pair[meant])
    return Exercise(key=whole, prompt=sentence, answer=pair[meant], choices=pair, forms=(whole,))
