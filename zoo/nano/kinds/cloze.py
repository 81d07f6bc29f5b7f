"""Sentences of two of whom one must be meant, by what is then said (the Winograd manner)."""

from __future__ import annotations

from random import Random

from zoo.nano.lexicon import (
    ANIMALS,
    BIRDS,
    DRINKS,
    FLOWERS,
    FOODS,
    GARMENTS,
    NAMES,
    ROOMS,
    SKEW,
    TRADES,
    TREES,
    VESSELS,
    pick,
)
from zoo.nano.world import Exercise

HOLE = "_"

SAID = {
    ANIMALS: ("ran off on four legs", "shook its tail", "lifted one paw", "scratched its fur"),
    BIRDS: ("flew up to its nest", "spread its wings", "laid an egg", "sang from the roof"),
    FOODS: ("was eaten up", "was chewed slowly", "was served on a plate", "was cooked too long"),
    DRINKS: ("was drunk at once", "was sipped slowly", "was poured out", "was spilled on the floor"),
    TREES: ("lost its leaves", "was felled for wood", "stood taller than a house", "grew a new branch"),
    FLOWERS: ("smelled sweet", "opened its petals", "was tied into a bunch", "wilted in the sun"),
    GARMENTS: ("was worn all day", "was sewn by hand", "was too tight", "had lost a button"),
    VESSELS: ("was filled to the brim", "stood empty on the shelf", "broke in two", "was rinsed and dried"),
    TRADES: ("asked to be paid", "told a long story", "went home from work", "wrote a bill"),
}
"""What may be said of each class, and of no other."""

SCENES = (
    "{name} saw {a} and {b} in the {room}.",
    "There were {a} and {b} in the {room} when {name} came.",
    "{name} went to the {room} and looked for {a} and {b}.",
)


def make(rng: Random, skew: float = SKEW) -> Exercise:
    """A scene with two of different classes, and a sentence with a hole whose end only one of them fits."""
    classes = rng.sample(tuple(SAID), 2)
    pair = tuple(pick(rng, each, skew) for each in classes)
    meant = rng.randrange(2)
    slots = {"name": rng.choice(NAMES), "room": pick(rng, ROOMS), "a": f"the {pair[0]}", "b": f"the {pair[1]}"}
    sentence = f"{rng.choice(SCENES).format(**slots)} The {HOLE} {rng.choice(SAID[classes[meant]])}."
    whole = sentence.replace(HOLE, pair[meant])
    return Exercise(key=whole, prompt=sentence, answer=pair[meant], choices=pair, forms=(whole,))
