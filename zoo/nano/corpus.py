"""The training text: an endless stream of documents of every kind, mixed by weight, without test items."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from zoo.files import write_atomically
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


LONG_SUMS = functools.partial(sums.make, steps=(1, 2, 3), highest=(99, 999))
KINDS: Mapping[str, Kind] = {
    "words": Kind(words.make, 3.0, (1, 4), as_tested=0.7),
    "endings": Kind(endings.make, 1.5, (1, 3), as_tested=0.8),
    "cloze": Kind(cloze.make, 1.5, (1, 6)),
    "sums": Kind(sums.make, 9.0, (1, 8), as_tested=0.4),
    "prose": Kind(prose.make, 0.7, (1, 1)),
    "code": Kind(code.make, 2.0, (1, 3)),
}
"""What the teacher is trained on at last, and its students: many sums of two digits."""
MIXTURES: Mapping[str, Mapping[str, Kind]] = {
    "long sums": {
        "words": Kind(words.make, 3.0, (1, 4), as_tested=0.7),
        "endings": Kind(endings.make, 3.0, (1, 3), as_tested=0.8),
        "cloze": Kind(cloze.make, 2.5, (1, 6)),
        "sums": Kind(LONG_SUMS, 6.0, (1, 4), as_tested=0.5),
        "prose": Kind(prose.make, 1.0, (1, 1)),
        "code": Kind(code.make, 3.0, (1, 3)),
    },
    "many sums": KINDS,
}
"""Of each stage of the teacher's training by name, in order."""


def documents(seed: int, *, test: bool = False, mixture: Mapping[str, Kind] = KINDS) -> Iterator[str]:
    """An endless stream of documents of training items, or of test items; the same seed gives the same ones."""
    rng = Random(seed)
    names, weights = list(mixture), [kind.weight for kind in mixture.values()]
    while True:
        yield document(mixture[rng.choices(names, weights)[0]], rng, test=test)


def write_documents(file: Path, seed: int, count: int) -> None:
    """Write so many of them as a line of JSON each, `{"text": …}`, atomically."""
    texts = itertools.islice(documents(seed), count)
    write_atomically(file, "".join(json.dumps({"text": text}) + "\n" for text in texts).encode())


def document(kind: Kind, rng: Random, *, test: bool = False) -> str:
    """One document of a kind: exercises in one form, laid out as a few-shot prompt lays them out."""
    draw = for_testing if test else for_training
    exercises = [draw(kind.make, rng) for _ in range(rng.randint(*kind.exercises))]
    forms = exercises[0].forms
    form = 0 if len(forms) == 1 or rng.random() < kind.as_tested else rng.randrange(1, len(forms))
    return BETWEEN.join(exercise.forms[form] for exercise in exercises)
