"""Errands and how they go on: what a tool is for, who carries it, and where it came from."""

from __future__ import annotations

from random import Random

from zoo.nano.lexicon import NAMES, ROOMS, pick, pick_other, pronoun
from zoo.nano.world import Exercise

SKEW = 1.7
"""How much oftener common tools are named than rare ones: rank r in proportion to r to the power of minus this."""

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
    "plane": "shaved the long plank flat",
    "axe": "split the dry logs for the fire",
    "ladder": "climbed up to the roof",
    "pen": "wrote a letter to an old friend",
    "map": "found the way through the hills",
    "drum": "beat time for the dance",
    "key": "opened the heavy gate",
    "match": "lit the stove",
    "soap": "washed both hands twice",
    "comb": "smoothed the long hair",
    "net": "caught three small fish",
    "pail": "brought water up from the well",
    "cart": "moved the heavy sacks",
    "bell": "called everyone to dinner",
    "scales": "weighed out the flour",
    "whistle": "brought the sheep home",
    "ruler": "drew a straight line",
    "glue": "mended the broken chair",
    "mop": "wiped up the spilled oil",
    "rake": "gathered the dry leaves",
    "sickle": "mowed the tall grass",
    "oar": "rowed across the lake",
    "kite": "ran against the wind for an hour",
    "torch": "looked into the dark cave",
    "tent": "slept under the stars",
    "sled": "slid down the snowy hill",
    "violin": "played until everyone wept",
    "pump": "filled the flat tyre",
    "sponge": "cleaned the dirty window",
    "scissors": "trimmed the paper stars",
    "chisel": "carved a face from wood",
    "telescope": "watched the moon rise",
    "compass": "turned the ship to the north",
    "abacus": "added up the day's bills",
    "spindle": "spun the soft wool",
    "crowbar": "prised the lid from the crate",
    "trowel": "laid a row of bricks",
    "pestle": "ground the dried herbs",
    "bellows": "blew on the weak embers",
    "tongs": "lifted the hot coals",
    "ladle": "served out the thin broth",
    "sieve": "sifted the fine sand",
    "funnel": "poured the ink into a bottle",
    "lantern": "came safely through the fog",
    "mallet": "knocked in the fence posts",
    "quill": "signed the new will",
    "stamp": "marked every parcel",
    "plough": "turned over the hard soil",
    "lasso": "caught the runaway pony",
    "shears": "clipped the thick hedge",
    "awl": "made holes in the leather",
    "pulley": "hoisted the long beam",
}
"""What each tool is used for, common tools first: the knowledge that the model must hold."""

TOOLS = tuple(ACTS)

OPENINGS = (
    "{name} took the {tool} from the {start} and went to the {goal}. There",
    "{name} found the {tool} in the {start}. With it {pronoun} walked to the {goal}, where",
    "In the {start} {name} picked up the {tool}, and {pronoun} ran to the {goal}. There",
)
CLOSINGS = (
    "{pronoun} {act}, and then {pronoun} carried the {tool} back to the {start}.",
    "{pronoun} {act} before {pronoun} brought the {tool} back to the {start}.",
)


def make(rng: Random, skew: float = SKEW) -> Exercise:
    """An errand with its true ending and three that go wrong in one point each; `skew`: how much common tools are favoured."""
    name, tool = rng.choice(NAMES), pick(rng, TOOLS, skew)
    start, goal = rng.sample(ROOMS[:8], 2)
    truth = {"name": name, "tool": tool, "start": start, "goal": goal, "pronoun": pronoun(name), "act": ACTS[tool]}
    faults = (
        {"act": ACTS[pick_other(rng, TOOLS, tool, skew)]},
        {"tool": pick_other(rng, TOOLS, tool, skew)},
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
