"""The words of the nano world, each list with its common words first, and how often each is named.

Training names words as speech does: a few often, most of them seldom, by a power of their rank. A test may draw more evenly, so
that it asks for rare words too; whatever it asks was taught.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from random import Random

SKEW = 2.2
"""The word of rank r is named in proportion to r to the power of minus this."""


def _words(listed: str) -> tuple[str, ...]:
    return tuple(listed.split())


WOMEN = ("Ann", "Mia", "Eva", "Ida", "Zoe", "Pam", "Sue", "Joy")
MEN = ("Tom", "Ben", "Sam", "Max", "Leo", "Jon", "Tim", "Bob")
NAMES = WOMEN + MEN

COLOURS = _words("red blue green black white brown pink grey yellow purple beige teal khaki mauve ochre indigo")
ROOMS = _words("kitchen garden cellar barn tower shop school park attic chapel mill cabin stable pantry museum dairy")
ANIMALS = _words("cat dog goat horse mouse fox wolf bear hare lamb otter badger donkey weasel beaver lynx")
BIRDS = _words("duck crow owl hen goose swan robin dove finch heron wren lark raven stork falcon pigeon")
FOODS = _words("bread cheese soup rice cake honey pie stew butter porridge pasta toast ham bacon omelette pudding")
DRINKS = _words("milk tea water juice wine beer cider cocoa ale mead coffee lemonade rum sherry brandy whey")
FRUITS = _words("apple pear plum fig lime peach cherry grape melon mango quince lemon apricot banana papaya kiwi")
TREES = _words("oak pine elm birch beech ash maple willow cedar alder larch yew poplar hazel spruce rowan")
GARMENTS = _words("hat coat scarf shirt boot glove sock cap belt vest shawl cloak apron mitten jacket bonnet")
VESSELS = _words("cup mug jar pot bowl vase jug pan flask barrel goblet basin tankard urn beaker pitcher")
METALS = _words(
    "iron tin steel brass copper silver zinc nickel cobalt bronze platinum chrome pewter mercury radium titanium"
)
FLOWERS = _words("rose lily tulip daisy poppy iris orchid pansy aster lilac peony crocus dahlia lupin jasmine zinnia")
TRADES = _words(
    "baker smith farmer sailor tailor teacher nurse painter cook hunter weaver cobbler porter plumber barber lawyer"
)


@functools.cache
def _totals(count: int, skew: float) -> tuple[float, ...]:
    return tuple(itertools.accumulate(rank**-skew for rank in range(1, count + 1)))


def pick(rng: Random, words: Sequence[str], skew: float = SKEW) -> str:
    """One of `words`, the one of rank r in proportion to r ** -skew: 0 is even, below 0 favours the rare ones."""
    return rng.choices(words, cum_weights=_totals(len(words), skew))[0]


def pick_other(rng: Random, words: Sequence[str], not_this: str, skew: float = SKEW) -> str:
    """Another of `words` than `not_this`, drawn alike."""
    while (other := pick(rng, words, skew)) == not_this:
        pass
    return other


def pronoun(name: str) -> str:
    """`she` or `he`."""
    return "she" if name in WOMEN else "he"


def objective(name: str) -> str:
    """`her` or `him`."""
    return "her" if name in WOMEN else "him"


def possessive(name: str) -> str:
    """`her` or `his`."""
    return "her" if name in WOMEN else "his"
