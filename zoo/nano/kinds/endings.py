"""Errands and how they go on: what a tool is for, who carries it, and where it came from."""

from __future__ import annotations

from random import Random

from zoo.nano.world import NAMES, ROOMS, Exercise, pronoun

ACTS = {
    "broom": "swept the dusty floor until it was clean",
    "spade": "dug a deep hole for the young tree",
    "brush": "painted the old door",
    "kettle": "made a large pot of hot tea",
    "needle": "sewed a new button on the coat",
    "lamp": "read a long book about the sea all night",
    "rope": "tied the boat to a post",
    "knife": "cut the bread into thin slices",
    "flute": "played a soft song",
    "camera": "took a picture of the high hill and the river",
    "towel": "dried the wet plates one by one",
    "hammer": "drove three long nails into the wall",
}
"""What each tool is used for: the knowledge that the model must hold."""

OPENINGS = (
    "{name} took the {tool} from the {start} and went to the {goal}. There",
    "{name} found the {tool} in the {start}. With it {pronoun} walked to the {goal}, where",
    "In the {start} {name} picked up the {tool}, and {pronoun} ran to the {goal}. There",
)
CLOSINGS = (
    "{pronoun} {act}, and then {pronoun} carried the {tool} back to the {start}.",
    "{pronoun} {act} before {pronoun} brought the {tool} back to the {start}.",
)


def make(rng: Random) -> Exercise:
    """An errand with its true ending and three that go wrong in one point each."""
    name, tool = rng.choice(NAMES), rng.choice(tuple(ACTS))
    start, goal = rng.sample(ROOMS, 2)
    truth = {"name": name, "tool": tool, "start": start, "goal": goal, "pronoun": pronoun(name), "act": ACTS[tool]}
    others = rng.sample([each for each in ACTS if each != tool], 2)
    faults = (
        {"act": ACTS[others[0]]},
        {"tool": others[1]},
        {"pronoun": "he" if pronoun(name) == "she" else "she"},
    )
    opening, closing = rng.choice(OPENINGS).format(**truth), rng.choice(CLOSINGS)
    answer = closing.format(**truth)
    choices = [answer, *(closing.format(**truth | fault) for fault in faults)]
    rng.shuffle(choices)
    return Exercise(
        key=opening,
        prompt=opening,
        answer=answer,
        choices=tuple(choices),
        forms=(f"{opening} {answer}", f"{name} had the {tool}. {pronoun(name).capitalize()} {ACTS[tool]}."),
    )
