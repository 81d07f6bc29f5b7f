"""Where a model stands on the documents in common: its score, how far above chance, and the interval of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.compare.aggregates import MEAN
from harness.compare.evidence import Evidence
from harness.stats.intervals import student_interval
from harness.stats.paired.real import paired_mean


@dataclass(frozen=True)
class Standing:
    """A model's score on the documents that all three have, in the metric's own unit."""

    value: float
    lower: float | None
    upper: float | None
    """Ends of its own 95 % interval; None of a single unit."""
    above: float | None
    """How far it is better than chance; None where nobody knows what guessing scores, and of log-likelihoods."""
    nats: float | None
    """Of a perplexity or bits: -log p a unit (word, byte, document), less being better; None of other metrics."""


def standing(values: Any, on: Evidence, chance: float | None, sign: int) -> Standing:
    """The score that these values [documents] give with the weights and clusters `on` them; `sign` is -1 where less is better.

    Of values between 0 and 1 the interval is Wilson's at the effective number of documents, as of a score by itself.
    """
    way = on.way
    mean = paired_mean(values, on.clusters, None if on.is_even else on.weights)
    lower = upper = None
    if mean.stderr is not None:
        within = on.in_unit_interval and bool(((values >= 0) & (values <= 1)).all())
        made = student_interval(mean.value, mean.stderr, mean.units, mean.freedom, within)
        if made.lower is not None and made.upper is not None:
            lower, upper = sorted((way.number(made.lower), way.number(made.upper)))
    value = way.number(mean.value)
    above = sign * (value - chance) if chance is not None and way is MEAN else None
    return Standing(value, lower, upper, above, -mean.value if way.likelihood else None)


def is_above_chance(found: Standing, chance: float, sign: int) -> bool:
    """Whether the interval lies on the better side of chance altogether."""
    worse = found.lower if sign > 0 else found.upper
    return worse is not None and sign * (worse - chance) > 0
