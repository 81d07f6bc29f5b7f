"""Running prose: short tales told from one plan, whose people, things and places stay the same to the end."""

from __future__ import annotations

from random import Random

from zoo.nano.kinds.endings import ACTS, TOOLS
from zoo.nano.kinds.endings import SKEW as SKEW_OF_TOOLS
from zoo.nano.lexicon import (
    ANIMALS,
    COLOURS,
    FOODS,
    NAMES,
    ROOMS,
    VESSELS,
    objective,
    pick,
    pick_other,
    possessive,
    pronoun,
)
from zoo.nano.world import Exercise

BEATS = (
    (
        "One {time} {hero} went to the {place}.",
        "It was a {weather} {time}, and {hero} was in the {place}.",
        "{hero} liked the {place}, most of all on a {weather} {time}.",
    ),
    (
        "{She} had a {colour} {thing} with {her}.",
        "In {her_own} hand was a {colour} {thing}.",
        "{She} looked for {her_own} {colour} {thing}.",
    ),
    (
        "There {she} met {friend}, who had a {pet}.",
        "{friend} came by with a {pet}.",
        "Soon {friend} came along, and the {pet} came too.",
    ),
    (
        "The {pet} took the {thing} and ran to the {hide}.",
        "Then the {pet} saw the {thing} and hid it in the {hide}.",
        "But the {thing} was gone, for the {pet} had left it in the {hide}.",
    ),
    (
        "{hero} was sad, so {friend} went with {her} to the {hide}.",
        '"Where is my {thing}?" said {hero}. "In the {hide}," said {friend}.',
        "{friend} knew where to look, and they went to the {hide}.",
    ),
    (
        "There they saw the {tool}, and {friend} {act}.",
        "{friend} had the {tool} and {act}.",
    ),
    (
        "At last {hero} found the {colour} {thing} under the {tool}.",
        "The {colour} {thing} was in the {hide}, and {hero} was glad.",
        "{hero} saw the {thing}, and it was still {colour}.",
    ),
    (
        "{hero} gave {friend} some {food}, and the {pet} got {food} too.",
        "Then {hero} and {friend} ate {food} in the {place}.",
        "{friend} had {food}, and {hero} had some of it too.",
    ),
    (
        "{She} thanked {friend} and went home with the {thing}.",
        "Then they all went home: {hero}, {friend} and the {pet}.",
        "{hero} never left the {thing} in the {place} again.",
    ),
)
TIMES = ("morning", "day", "evening", "night")
WEATHERS = ("warm", "cold", "dark", "bright", "wet", "quiet")


def make(rng: Random) -> Exercise:
    """One tale; its key is its whole text."""
    hero, friend = rng.sample(NAMES, 2)
    place = pick(rng, ROOMS)
    hide = pick_other(rng, ROOMS, place)
    tool = pick(rng, TOOLS, SKEW_OF_TOOLS)
    slots = {
        "hero": hero,
        "friend": friend,
        "she": pronoun(hero),
        "She": pronoun(hero).capitalize(),
        "her": objective(hero),
        "her_own": possessive(hero),
        "place": place,
        "hide": hide,
        "tool": tool,
        "act": ACTS[tool],
        "colour": pick(rng, COLOURS),
        "thing": pick(rng, VESSELS),
        "pet": pick(rng, ANIMALS),
        "food": pick(rng, FOODS),
        "time": rng.choice(TIMES),
        "weather": rng.choice(WEATHERS),
    }
    tale = " ".join(rng.choice(beat).format(**slots) for beat in BEATS)
    return Exercise(key=tale, prompt="", answer=tale, forms=(tale,))
