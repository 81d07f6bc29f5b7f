"""What a leaderboard consists of: columns, rows, and the figures of each cell. All values are in the metric's own unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Source = Literal["measured", "imported", "contributed", "published"]
"""`measured` by minizoo here, `imported` from another tool's file, `contributed` in a bundle, `published` by others."""


class ColumnKey(NamedTuple):
    """What figures of one column have in common; figures of other keys are never put beside each other."""

    task: str
    metric: str
    """Empty where the source does not say, as `filter`."""
    filter: str
    shots: int | None


@dataclass(frozen=True)
class TaskColumn:
    """A column of the board."""

    key: ColumnKey
    group: str
    """The task group (a page of the board) that it stands in: `paper`, `nano`, `instruct`, `other`."""
    higher_is_better: bool | None
    chance: float | None
    """What guessing scores; None where that is unknown or means nothing."""


@dataclass(frozen=True)
class Share:
    """How much of the parent's score above chance is kept: 1 is all of it."""

    parent: str
    """The parent's model id."""
    value: float | None
    """None where the parent is not above chance."""
    lower: float | None
    upper: float | None
    raw: float | None
    """child/parent without chance."""
    source: Source
    """`published` where both figures are of one published protocol and source."""
    paired: bool = False
    """Whether the interval comes from the same documents of both."""


@dataclass(frozen=True)
class Figure:
    """One number of a cell. A cell may hold several, the one that counts first."""

    source: Source
    value: float | None
    lower: float | None = None
    upper: float | None = None
    n: int | None = None
    total: int | None = None
    """Documents of the whole task; a figure with n < total is of a part and has no rank."""
    approximate: bool = False
    """The interval is the sampling error of a published share of n documents, not measured."""
    run_id: str | None = None
    """None for what is published."""
    finished_at: str = ""
    """UTC, `2026-11-30T03:29:31Z`; empty for what is published."""
    origin: str = ""
    """Of a published figure the registry's id of its source; of an imported one the tool; of a contributed one who gave it."""
    printed: str = ""
    """Of a published figure, as printed (`69.5`)."""
    conflicts: int = 0
    """Other published figures of this model and task that differ; the model's page lists them."""
    selected_on: bool = False
    """The task was used to choose the model's shape."""
    notes: tuple[str, ...] = ()
    """What it must be read with: `200 of 10,042 documents`, `3 prompts cut`, `unchecked backend`."""
    verdict: str = ""
    """Of a measured figure beside the published one: reproduced, differs, not resolved, not comparable."""
    retained: Share | None = None
    rank: int | None = None
    """The first place of its tie class among whole measured figures of this column and kind; None: no rank."""
    tied: int = 0
    """How many models are in its class."""


@dataclass(frozen=True)
class SpeedUp:
    """How much faster than its parent a model is on one piece of hardware, by one rule."""

    hardware: str
    rule: str
    """`equal batch`, `equal memory`, `equal latency`, or `published` where the source fixed neither."""
    ratio: float
    lower: float | None
    upper: float | None
    against: str
    source: Source
    run_id: str | None
    detail: str = ""
    """Engine, dtype, batches, workload, in words."""


@dataclass(frozen=True)
class ModelFacts:
    """What the registry says of a model, or what its records tell of one that is in none. None is unknown."""

    id: str
    """The name under which the board shows it (`shown name` of the store; the registry id of a registry model)."""
    display: str
    registered: bool
    kind: str
    """base, instruct, reasoning, or unknown."""
    family: str
    """The registry's group, or `unregistered`."""
    parent: str | None = None
    parameters: int | None = None
    parent_parameters: int | None = None
    distillation_tokens: int | None = None
    parent_tokens: int | None = None
    """What the parent was pretrained on."""
    licence: str | None = None
    commercial: bool | None = None
    context: int | None = None
    weight_bytes: int | None = None
    kv_bytes_per_token: int | None = None
    state_bytes: int | None = None
    hub: str | None = None


@dataclass(frozen=True)
class BoardRow:
    """A line of the board: a model as it was run in one way. A model that nobody ran has one line, with what is published."""

    facts: ModelFacts
    backend: str = ""
    """Empty, as `dtype` and `hardware`, where nothing was run."""
    dtype: str = ""
    hardware: str = ""
    """GPU by its product name, or processor, or device."""
    figures: Mapping[ColumnKey, tuple[Figure, ...]] = field(default_factory=dict[ColumnKey, tuple[Figure, ...]])
    speedups: tuple[SpeedUp, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A task whose newest run failed; it hides no older figure."""

    model: str
    task: str
    reason: str
    run_id: str
    finished_at: str


@dataclass(frozen=True)
class Board:
    """Everything that the leaderboard shows: rows in their order, columns in theirs."""

    columns: tuple[TaskColumn, ...]
    rows: tuple[BoardRow, ...]
    failures: tuple[Failure, ...] = ()
    measured: int = 0
    """Figures measured here, imported and contributed ones counted apart."""
    imported: int = 0
    published: int = 0
    runs: int = 0
    newest: str = ""
    """When the newest record was finished (UTC, as above); empty where nothing was measured."""

    def groups(self) -> tuple[str, ...]:
        """The task groups that have columns, in order."""
        return tuple(dict.fromkeys(column.group for column in self.columns))
