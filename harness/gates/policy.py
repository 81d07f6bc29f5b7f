"""A gate's policy: which comparisons are asked for, how large a loss they may show, and what becomes of the answer. YAML.

Each entry asks one or two questions. *release*: is the candidate no worse than the reference but for `margin`? *detect*: is it
any worse at all? Their error rates are apart: release is answered at `confidence` an entry, detect at the plan's `alpha`, split
over accuracy, gold log-probability and speed and, inside each, over all entries that ask it (Holm).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from zoo.strict import Frozen

POLICY_SCHEMA = "minizoo.gate/1"
Tier = Literal["critical", "supporting", "advisory"]
Question = Literal["detect", "release"]
Share = Annotated[float, Field(gt=0, lt=1)]


class Margin(Frozen):
    """The largest loss that counts as none. Of an accuracy in its own unit (0.01 is one point), or of the reference's score."""

    absolute: Annotated[float, Field(ge=0)] | None = None
    relative: Annotated[float, Field(ge=0, lt=1)] | None = None


class Alpha(Frozen):
    """False alarms a night over the whole plan, at most, by what is tested. Their sum is the plan's."""

    accuracy: Share
    gold: Share
    speed: Share


class AccuracyEntry(Frozen):
    """A task, or tasks by a pattern (`mmlu_*`); a group counts as one."""

    task: str
    metric: str | None = None
    """Without it the suite's own, else the task's first."""
    filter: str | None = None
    tier: Tier
    ask: tuple[Question, ...]
    margin: Margin = Margin(absolute=0.0)
    """Of release; of detect alone, the loss that must be detectable (`power`), else the entry is underpowered."""
    gold_margin: Annotated[float, Field(ge=0)] | None = None
    """Nats an item that the right answer's log-probability may fall before detect's test of it counts; None: not tested."""
    accept: Literal["measured", "imported"] = "measured"


class SpeedEntry(Frozen):
    """A speed metric of a workload, by the ratio of trials taken in turn with `against`."""

    workload: str
    metric: str = "output_rate"
    point: str | None = None
    """Without it every point of the workload that both have."""
    tier: Tier
    ask: tuple[Question, ...]
    max_slowdown: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Of release: 0.05 is five per cent; of detect alone, the slow-down that must be detectable."""
    accept: Literal["measured", "imported"] = "measured"
    files: Annotated[int, Field(ge=2)] = 6
    """Imported files a side, at least."""


class Mute(Frozen):
    """A regression that somebody knows of and answers for, until a day."""

    task: str
    """Task or workload, a pattern allowed."""
    model: str = "*"
    owner: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    until: date


class Underpowered(Frozen):
    """By tier: whether what cannot be told (UNDERPOWERED, INCOMPARABLE, MISSING) fails the gate, with exit code 3."""

    critical: Literal["fail", "warn"] = "fail"
    supporting: Literal["fail", "warn"] = "warn"
    advisory: Literal["fail", "warn"] = "warn"


class Policy(Frozen):
    """A whole policy file."""

    schema_version: Literal["minizoo.gate/1"] = Field(POLICY_SCHEMA, alias="schema")
    name: str
    description: str = ""
    alpha: Alpha
    confidence: Share = 0.95
    """One-sided, of release."""
    power: Share = 0.8
    underpowered: Underpowered = Underpowered()
    accuracy: tuple[AccuracyEntry, ...] = ()
    speed: tuple[SpeedEntry, ...] = ()
    mute: tuple[Mute, ...] = ()
