"""Eight listed words, one of the class that is asked for; most words are rare, and tests ask for rare ones as well."""

from __future__ import annotations

from random import Random

from zoo.nano import lexicon
from zoo.nano.lexicon import SKEW, pick
from zoo.nano.world import Exercise

CHOICES = 8
"""Words in a list, each of another class: chance is one in eight."""

CLASSES = {
    "a colour": lexicon.COLOURS,
    "a place": lexicon.ROOMS,
    "an animal": lexicon.ANIMALS,
    "a bird": lexicon.BIRDS,
    "a food": lexicon.FOODS,
    "a drink": lexicon.DRINKS,
    "a fruit": lexicon.FRUITS,
    "a tree": lexicon.TREES,
    "a garment": lexicon.GARMENTS,
    "a vessel": lexicon.VESSELS,
    "a metal": lexicon.METALS,
    "a flower": lexicon.FLOWERS,
    "a trade": lexicon.TRADES,
}


def make(rng: Random, skew: float = SKEW) -> Exercise:
    """A list of eight words and a question that one of them answers; `skew`: how much common words are favoured."""
    classes = rng.sample(tuple(CLASSES), CHOICES)
    words = tuple(pick(rng, CLASSES[each], skew) for each in classes)
    asked = rng.randrange(CHOICES)
    listed = ", ".join(words)
    prompt = f"Words: {listed}.\nQuestion: Which word is {classes[asked]}?\nAnswer:"
    named = rng.sample([f"{word} is {each}" for word, each in zip(words, classes, strict=True)], CHOICES)
    return Exercise(
        key=listed,
        prompt=prompt,
        answer=words[asked],
        choices=words,
        forms=(f"{prompt} {words[asked]}", f"Words: {listed}.\nHere {', '.join(named)}."),
    )
