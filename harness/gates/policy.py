"""A gate's policy: which comparisons are asked for, how large a loss they may show, and what becomes of the answer. YAML.

Each entry asks one or two questions. *release*: is the candidate no worse than the reference but for `margin`? *detect*: is it
any worse at all? Their error rates are apart: release is answered at `confidence` an entry, detect at the plan's `alpha`, split
over accuracy, gold log-probability and speed and, inside each, over all entries that ask it (Holm).
"""

from __future__ import annotations

import fnmatch
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from harness.gates.margins import Margin, Nats, PartOfOne
from zoo.strict import Strict, Text

POLICY_SCHEMA = "minizoo.policy/1"
Tier = Literal["critical", "supporting", "advisory"]
Question = Literal["detect", "release"]
Accept = Literal["measured", "imported"]
MOST_ALPHA = 0.5
"""A plan that may raise a false alarm every other night is no gate."""


def _as_tuple(value: Any) -> Any:
    """One word where a list is meant."""
    return (value,) if isinstance(value, str) else value


def _asked(value: tuple[Question, ...]) -> tuple[Question, ...]:
    if not value:
        raise ValueError("the entry asks nothing: write `ask: [detect]`, `[release]` or both")
    if len(set(value)) < len(value):
        raise ValueError("a question stands twice")
    return value


class _Ask(Strict):
    """What entries have in common."""

    tier: Tier
    ask: Annotated[tuple[Question, ...], BeforeValidator(_as_tuple)]
    required: bool | None = None
    """Whether it is MISSING where neither side has the task, and not just left out of the plan; None: in the critical tier."""
    accept: Accept = "measured"

    @model_validator(mode="after")
    def _asks(self) -> _Ask:
        _asked(self.ask)
        return self

    @property
    def is_required(self) -> bool:
        """`required`, or what the tier says where the entry is silent."""
        return self.tier == "critical" if self.required is None else self.required


class Alpha(Strict):
    """False alarms a night over the whole plan, at most, by what is tested. Their sum is the plan's."""

    accuracy: PartOfOne = Field(gt=0, lt=1)
    gold: PartOfOne = Field(gt=0, lt=1)
    speed: PartOfOne = Field(gt=0, lt=1)

    @property
    def total(self) -> float:
        """Of the plan."""
        return self.accuracy + self.gold + self.speed

    @model_validator(mode="after")
    def _in_all(self) -> Alpha:
        if self.total > MOST_ALPHA:
            raise ValueError(f"accuracy, gold and speed make {self.total:.3g} in all, and {MOST_ALPHA} is the most")
        return self


class AccuracyEntry(_Ask):
    """A task, or tasks by a pattern (`mmlu_*`); a group counts as one."""

    task: Text
    metric: Text | None = None
    """Without it the suite's own, else the task's first."""
    filter: Text | None = None
    margin: Margin
    """Of release; of detect alone, the loss that must be detectable (`power`), else the entry is underpowered."""
    gold_margin: Nats | None = None
    """Nats an item that the right answer's log-probability may fall before detect's test of it counts; None: not tested."""

    @model_validator(mode="after")
    def _gold_is_detected(self) -> AccuracyEntry:
        if self.gold_margin is not None and "detect" not in self.ask:
            raise ValueError(
                "gold_margin is of detect, which this entry does not ask: add it to `ask`, or leave it out"
            )
        return self


class SpeedEntry(_Ask):
    """A speed metric of a workload, by the ratio of trials of both sides taken in turn."""

    workload: Text
    """By name or pattern."""
    metric: Text = "output_rate"
    point: Text | None = None
    """By name or pattern; without it every point of the workload that both have."""
    max_slowdown: PartOfOne = Field(0.05, gt=0, lt=1)
    """Of release: 0.05 is five per cent; of detect alone, the slow-down that must be detectable."""
    files: int = Field(6, ge=2)
    """Imported files a side, at least."""


class Mute(Strict):
    """A regression that somebody knows of and answers for, until a day."""

    task: Text
    """Task or workload, a pattern allowed."""
    model: Text = "*"
    """The candidate, a pattern allowed."""
    owner: Text
    reason: Text
    until: date
    """The last day on which it counts, in UTC."""

    def covers(self, model: str, task: str) -> bool:
        """Whether it speaks of that row."""
        return fnmatch.fnmatchcase(model, self.model) and fnmatch.fnmatchcase(task, self.task)


class Underpowered(Strict):
    """By tier: whether what cannot be told (UNDERPOWERED, INCOMPARABLE, MISSING) fails the gate, with exit code 3."""

    critical: Literal["fail", "warn"] = "fail"
    supporting: Literal["fail", "warn"] = "warn"
    advisory: Literal["fail", "warn"] = "warn"

    def fails(self, tier: Tier) -> bool:
        """Whether an answer that is none fails in that tier."""
        return {"critical": self.critical, "supporting": self.supporting, "advisory": self.advisory}[tier] == "fail"


class Policy(Strict):
    """A whole policy file."""

    schema_version: Literal["minizoo.policy/1"] = Field(POLICY_SCHEMA, alias="schema")
    name: Text
    description: str = ""
    alpha: Alpha
    confidence: PartOfOne = Field(0.95, gt=0.5, lt=1)
    """One-sided, of release."""
    power: PartOfOne = Field(0.8, ge=0.5, lt=1)
    underpowered: Underpowered = Underpowered()
    accuracy: tuple[AccuracyEntry, ...] = ()
    speed: tuple[SpeedEntry, ...] = ()
    mute: tuple[Mute, ...] = ()

    @model_validator(mode="after")
    def _asks_something(self) -> Policy:
        if not self.accuracy and not self.speed:
            raise ValueError("the policy asks nothing: it has no entry under `accuracy` or `speed`")
        return self
