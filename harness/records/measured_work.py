"""What tasks of earlier runs took to compute, and where: what the pace of a run to come is taken from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["scores", "generated text"]


class Identity(NamedTuple):
    """Whom a run measured, as far as its shape goes."""

    kind: str | None
    id: str
    folder: str | None
    """Absolute path of a local model."""


@dataclass(frozen=True)
class Place:
    """Where and how a model runs, as far as it decides the pace."""

    backend: str
    device: str
    """`cpu` or `cuda`."""
    hardware: str | None
    """The GPU's product name, else the processor's with its threads."""
    dtype: str | None
    """None where it is the checkpoint's own and not known yet: any will do."""

    @property
    def words(self) -> str:
        """For a person."""
        return f"{self.hardware or self.device} ({', '.join(filter(None, (self.backend, self.dtype)))})"


@dataclass(frozen=True)
class Measured:
    """What a task of an earlier run took."""

    run_id: str
    task: str
    model: str
    """As it is shown."""
    identity: Identity
    place: Place
    requests: int
    """Answered by that run's process."""
    computed_tokens: int
    scoring_s: float
    new_tokens: int
    generating_s: float
    flops_per_token: int | None

    def amount(self, kind: Kind) -> tuple[int, float]:
        """Tokens of that kind and the seconds they took."""
        return (self.computed_tokens, self.scoring_s) if kind == "scores" else (self.new_tokens, self.generating_s)
