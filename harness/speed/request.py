"""What a speed run is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from backends.contract import Options
from harness.speed.workloads.workload import Workload
from zoo.errors import ConflictingOptions, InvalidOption

LARGEST_MEMORY = 10**15
"""Bytes beyond any device."""
LONGEST_MINUTES = 10**6
"""Two years."""
Weights = Literal["real", "random"]


@dataclass(frozen=True)
class LoadRequest:
    """Which model is to be measured, and how it is run."""

    model: str
    name: str | None = None
    """What a local model is filed as."""
    parent: str | None = None
    """The model that it was made from."""
    backend: str | None = None
    """None: the one that fits the model (`backends.opening.default_backend`)."""
    options: Options = field(default_factory=Options)
    weights: Weights = "real"
    seed: int = 0
    """Of prompts and arrivals, and of random weights."""


@dataclass(frozen=True)
class BenchRequest:
    """A model, a workload, and where two models are compared the second one, which runs as the first does.

    Raises ConflictingOptions for what goes with a second model without one, InvalidOption for a memory that is none.
    """

    load: LoadRequest
    workload: Workload
    against: str | None = None
    """The second model."""
    against_weights: Weights | None = None
    """The second model's, if not as the first's."""
    memory: float | None = None
    """Bytes that each model may take where memory is to be equal; None: what the second takes."""
    max_minutes: float | None = None
    """Of the whole run, loading included: past them no point and no trial begins."""
    even_if_busy: bool = False
    """Whether to measure on where others keep the machine so busy that the result can only be invalid."""

    def __post_init__(self) -> None:
        if self.against is None and (self.against_weights or self.memory is not None):
            raise ConflictingOptions(
                "There is no second model to compare with.", "--against-weights and --memory go with --against."
            )
        if self.memory is not None and not 0 < self.memory < LARGEST_MEMORY:
            raise InvalidOption(f"{self.memory / 1e9:g} GB is no memory.", "--memory is a number of GB above 0.")
        if self.max_minutes is not None and not 0 < self.max_minutes < LONGEST_MINUTES:
            raise InvalidOption(f"{self.max_minutes:g} is no time limit.", "--max-minutes is a number above 0.")

    @property
    def second(self) -> LoadRequest:
        """How the second model is loaded."""
        weights = self.against_weights or self.load.weights
        return replace(self.load, model=self.against or "", name=None, parent=None, weights=weights)
