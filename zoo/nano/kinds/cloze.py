"""Sentences in which one of two must be meant, by what is then said of them (the Winograd manner)."""

from __future__ import annotations

from random import Random

from zoo.nano.world import NAMES, THINGS, Exercise

HOLE = "_"

OF_PEOPLE = (
    ("{a} beat {b} in the race because", ("was fast", "trained hard"), ("was slow", "fell down")),
    ("{a} gave {b} some soup because", ("was kind", "had too much"), ("was hungry", "had no food")),
    ("{a} thanked {b} because", ("was glad", "got a gift"), ("had helped", "was so kind")),
    ("{a} carried {b} up the hill because", ("was strong", "felt strong"), ("was tired", "was weak")),
    ("{a} asked {b} for the way because", ("was lost", "had no map"), ("knew the town", "had a map")),
    ("{a} taught {b} to swim because", ("could swim well", "loved the sea"), ("could not swim", "had to learn")),
    ("{a} hid from {b} because", ("was afraid", "felt guilty"), ("was angry", "looked mean")),
    ("{a} lent {b} some money because", ("was rich", "won a prize"), ("was poor", "had lost it all")),
    ("{a} woke {b} up because", ("was up early", "heard a noise"), ("was asleep", "slept too long")),
    ("{a} went to see {b} because", ("was ill", "had a cold"), ("was a doctor", "could heal")),
)
"""Sentence, what may be said of the first person, what may be said of the second."""

OF_THINGS = (
    ("The {a} did not fit into the {b} because the", ("was too big", "was too wide"), ("was too small", "was full")),
    ("The {a} broke when it fell on the {b} because the", ("was thin", "was fragile"), ("was hard", "was solid")),
)


def make(rng: Random) -> Exercise:
    """A sentence with a hole, two to fill it, and an end that only one of them fits."""
    frames, pool = rng.choices(((OF_PEOPLE, NAMES), (OF_THINGS, THINGS)), (len(OF_PEOPLE), len(OF_THINGS)))[0]
    frame, *said = rng.choice(frames)
    pair = tuple(rng.sample(pool, 2))
    meant = rng.randrange(2)
    sentence = f"{frame.format(a=pair[0], b=pair[1])} {HOLE} {rng.choice(said[meant])}."
    whole = sentence.replace(HOLE, pair[meant])
    choices = pair if rng.random() < 0.5 else pair[::-1]
    return Exercise(key=whole, prompt=sentence, answer=pair[meant], choices=choices, forms=(whole,))
