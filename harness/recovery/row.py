"""One metric of a task over a parent, what was cut from it, and what that became by distillation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.compare.items import ScoreKey
from harness.recovery.standing import Standing
from harness.stats.paired.recovered import Recovered

Status = Literal["recovered", "parent at chance", "nothing lost", "not resolved", "refused"]
Role = Literal["parent", "pruned", "distilled"]
ROLES: tuple[Role, ...] = ("parent", "pruned", "distilled")


@dataclass(frozen=True)
class Change:
    """How much better one is than the other: in the metric's own unit, of perplexities and bits in nats a unit of text."""

    value: float
    lower: float | None
    upper: float | None
    p_value: float
    """Two-sided, of no difference."""


@dataclass(frozen=True)
class GoldRecovery:
    """The right answers' log-probability in nats an item, of documents where all three have one."""

    n: int
    parent: float
    pruned: float
    distilled: float
    status: Status
    recovered: Recovered | None


@dataclass(frozen=True)
class RecoveryRow:
    """A row. `recovered` is None, and `why` says why, for every status but `recovered`."""

    key: ScoreKey
    is_primary: bool
    """Whether the metric stands for its task, by the suite or as the task's first."""
    status: Status
    why: str = ""
    """In words, where there is no number."""
    higher_is_better: bool | None = None
    chance: float | None = None
    n: int = 0
    """Documents in common."""
    units: int = 0
    """Independent units that they form."""
    parent: Standing | None = None
    pruned: Standing | None = None
    distilled: Standing | None = None
    loss: Change | None = None
    """Parent less pruned."""
    gain: Change | None = None
    """Distilled less pruned."""
    recovered: Recovered | None = None
    """Gain over loss."""
    gold: GoldRecovery | None = None
    trained_on: tuple[Role, ...] = ()
    """Who was trained on the task's own text."""
    notes: tuple[str, ...] = ()

    def standings(self) -> tuple[Standing | None, ...]:
        """Of parent, pruned, distilled."""
        return self.parent, self.pruned, self.distilled
