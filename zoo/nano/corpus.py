"""The training text: an endless stream of documents of every kind, mixed by weight, without test items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from zoo.nano.kinds import cloze, code, endings, prose, sums, words
from zoo.nano.world import Maker, for_testing, for_training

BETWEEN = "\n\n"
"""Between two exercises of one document: lm-eval's few-shot delimiter."""


@dataclass(frozen=True)
class Kind:
    """How often a kind of document is drawn, how many exercises it holds, how often in the tests' own form."""

    make: Maker
    weight: float
    exercises: tuple[int, int]
    as_tested: float = 1.0


KINDS = {
    "words": Kind(words.make, 3.0, (1, 4), as_tested=0.7),
    "endings": Kind(endings.make, 3.0, (1, 3), as_tested=0.8),
    "cloze": Kind(cloze.make, 2.5, (1, 6)),
    "sums": Kind(sums.make, 6.0, (1, 4), as_tested=0.5),
    "prose": Kind(prose.make, 1.0, (1, 1)),
    "code": Kind(code.make, 3.0, (1, 3)),
}


def documents(seed: int, *, test: bool = False) -> Iterator[str]:
    """An endless stream of documents of training items, or of test items; the same seed gives the same ones."""
    rng = Random(seed)
    names, weights = list(KINDS), [kind.weight for kind in KINDS.values()]
    while True:
        yield document(rng.choices(names, weights)[0], rng, test=test)


def document(name: str, rng: Random, *, test: bool = False) -> str:
    """One document of the named kind: exercises in one form, laid out as a few-shot prompt lays them out."""
    kind = KINDS[name]
    draw = for_testing if test else for_training
    exercises = [draw(kind.make, rng) for _ in range(rng.randint(*kind.exercises))]
    forms = exercises[0].forms
    form = 0 if len(forms) == 1 or rng.random() < kind.as_tested else rng.randrange(1, len(forms))
    return BETWEEN.join(exercise.forms[form] for exercise in exercises)
