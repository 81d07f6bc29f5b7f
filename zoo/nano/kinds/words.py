"""Four listed words, one of the class that is asked for: the answer is one word of one token."""

from __future__ import annotations

from random import Random

from zoo.nano.world import COLOURS, FOODS, NAMES, PETS, ROOMS, THINGS, Exercise

CHOICES = 4
"""Words in a list, each of another class: chance is one in four."""

CLASSES = {
    "a colour": COLOURS,
    "a place": ROOMS,
    "an animal": PETS,
    "a food": FOODS,
    "a thing": THINGS,
    "a name": NAMES,
}


def make(rng: Random) -> Exercise:
    """A list of four words and a question that one of them answers."""
    classes = rng.sample(tuple(CLASSES), CHOICES)
    words = tuple(rng.choice(CLASSES[each]) for each in classes)
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
