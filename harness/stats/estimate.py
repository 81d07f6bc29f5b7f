"""An estimate: a value, its standard error and its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and interval, all in the metric's own unit; None where none can be given."""

    value: float | None
    stderr: float | None = None
    lower: float | None = None
    upper: float | None = None
    whole_stderr: float | None = None
    """The standard error that is left when the question is what all of the task's documents would give."""
    decoding_stderr: float | None = None
    """The part of the standard error that comes from sampling the answers."""


def finite(estimate: Estimate) -> Estimate:
    """The estimate with None for every number that is NaN or infinite."""
    made = {name: number for name, number in vars(estimate).items() if number is None or math.isfinite(number)}
    return replace(estimate, **{**dict.fromkeys(vars(estimate)), **made})
