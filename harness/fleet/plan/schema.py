"""A plan of nights, `nightly.yaml`: which models on which suites and workloads, by what, on what, and until when.

Every model is measured on every suite and workload, by every backend, on every accelerator: a job each. A model's own lists
take the place of the plan's. Paths count from the plan's own folder.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from zoo.strict import Strict, Text

PLAN_SCHEMA = "minizoo.nightly/1"
CPU = "cpu"
DURATION = re.compile(r"^(?:(\d+(?:\.\d+)?)\s*d)?\s*(?:(\d+(?:\.\d+)?)\s*h)?\s*(?:(\d+(?:\.\d+)?)\s*m(?:in)?)?$")
MOST_BLOCKS = 20
Axis = Literal["steps", "tokens"]


def _mapped(key: str) -> BeforeValidator:
    """One word where a mapping with that key is meant."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


def _minutes(value: Any) -> Any:
    """`6h`, `1d 12h`, `90m`, `7.5h` as minutes."""
    found = DURATION.match(value.strip()) if isinstance(value, str) and value.strip() else None
    if found is None:
        raise ValueError("a time is written as `6h`, `90m` or `1d 12h`")
    days, hours, minutes = (float(part or 0) for part in found.groups())
    return 1440 * days + 60 * hours + minutes


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str | dict) else value


Words = Annotated[tuple[Text, ...], BeforeValidator(_as_tuple)]
Minutes = Annotated[float, BeforeValidator(_minutes), Field(gt=0)]


class PlannedSuite(Strict):
    """A suite, and how much of it."""

    suite: Text
    """By name or YAML file."""
    limit: int | None = Field(None, ge=1)
    """Documents a task, chosen by hash."""
    split: int = Field(1, ge=1)
    """Nodes of a Ray cluster over which one evaluation is divided."""


class PlannedBackend(Strict):
    """What runs a model, and in which interpreter."""

    backend: Text
    python: Text | None = None
    """The interpreter that the engine is installed in."""
    dtype: Text = "auto"
    endpoint: Text | None = None
    """Of `openai`: where the model is served."""

    @model_validator(mode="after")
    def _served_or_run(self) -> PlannedBackend:
        if (self.endpoint is not None) != (self.backend == "openai"):
            raise ValueError("`endpoint` goes with `backend: openai`, and that with it")
        if self.endpoint is not None and (self.python is not None or self.dtype != "auto"):
            raise ValueError("a served model has neither `python` nor `dtype`: its server says how it is run")
        return self


class PlannedWorkload(Strict):
    """A speed test, and how often it is repeated in each process."""

    workload: Text
    """By name or YAML file."""
    trials: int | None = Field(None, ge=1)
    """Trials a point at least, instead of the workload's."""
    seconds: float | None = Field(None, ge=0)
    """Seconds of trials a point at least."""


Suites = Annotated[tuple[Annotated[PlannedSuite, _mapped("suite")], ...], BeforeValidator(_as_tuple)]
Backends = Annotated[tuple[Annotated[PlannedBackend, _mapped("backend")], ...], BeforeValidator(_as_tuple)]
Workloads = Annotated[tuple[Annotated[PlannedWorkload, _mapped("workload")], ...], BeforeValidator(_as_tuple)]


class PlannedModel(Strict):
    """A model, or the checkpoints of a training run."""

    model: Text | None = None
    """A name of the registry, a hub id, or a folder."""
    checkpoints: Text | None = None
    """Folders by a pattern (`runs/a/step-*`): each new one is evaluated once, over all nights."""
    label: Text | None = None
    """What the run of the checkpoints is called; its folder's name where nothing is said."""
    axis: Axis | None = None
    """What the number of a checkpoint counts; steps where nothing is said."""
    name: Text | None = None
    """What results call a folder or a hub model that is in no registry."""
    parent: Text | None = None
    """The model that it was made from; beside checkpoints it is evaluated too."""
    baseline: Text | None = None
    """The baseline that it is held against; the one of its own name where nothing is said."""
    suites: Suites | None = None
    """Instead of the plan's."""
    backends: Backends | None = None
    workloads: Workloads | None = None
    accelerators: Words | None = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> PlannedModel:
        if (self.model is None) == (self.checkpoints is None):
            raise ValueError("an entry says either `model` or `checkpoints`")
        if self.model is not None and (self.label is not None or self.axis is not None):
            raise ValueError("`label` and `axis` go with `checkpoints`")
        if self.checkpoints is not None and (self.name is not None or self.baseline is not None):
            raise ValueError("`name` and `baseline` go with `model`: checkpoints are called by their label and number")
        return self


class Canary(Strict):
    """What is measured in turn with every model's speed, and never changes: its weights, its engine, its interpreter."""

    model: Text
    backend: Text = "hf"
    python: Text | None = None
    """An interpreter with a minizoo of its own, pinned with all of its environment; None: the night's own."""
    dtype: Text = "auto"
    blocks: int = Field(2, ge=1, le=MOST_BLOCKS)
    """Blocks of candidate, canary, canary, candidate, a process each."""


class Budget(Strict):
    """What a night may use."""

    gpu_hours: float | None = Field(default=None, gt=0)


class Retention(Strict):
    """What stays on the disk."""

    samples_nights: int | None = Field(default=None, ge=1)
    """The newest nights whose documents' own values are kept; None: of all nights."""


class NightPlan(Strict):
    """A whole plan file."""

    schema_version: Literal["minizoo.nightly/1"] = Field(alias="schema")
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=60)]
    models: Annotated[tuple[Annotated[PlannedModel, _mapped("model")], ...], Field(min_length=1)]
    suites: Suites = ()
    backends: Annotated[Backends, Field(min_length=1)] = (PlannedBackend(backend="hf"),)
    workloads: Workloads = ()
    accelerators: Annotated[Words, Field(min_length=1)] = (CPU,)
    """`cpu`, or names of GPUs in zoo/arch/gpus.yaml, as `minizoo bench MODEL --dry-run` lists them."""
    canary: Canary | None = None
    policy: Text = "nightly"
    """By name or YAML file."""
    baselines: Text | None = None
    """The file of baselines; without one nothing is held against a baseline."""
    noise: Text | None = None
    """The file of `minizoo gate --calibrate`."""
    deadline: Minutes | None = None
    """From the start of the night: past it no job begins, and what runs is stopped."""
    budget: Budget = Budget()
    retries: int = Field(1, ge=0, le=5)
    """How often a job is tried again that its surroundings failed."""
    retention: Retention = Retention()
    seed: int = 0
    data: Text | None = None
    """A local mirror of hub data sets."""

    @model_validator(mode="after")
    def _measures_something(self) -> NightPlan:
        if not any(self.suites_of(one) or self.workloads_of(one) for one in self.models):
            raise ValueError("the plan measures nothing: it has neither `suites` nor `workloads`")
        return self

    def suites_of(self, model: PlannedModel) -> tuple[PlannedSuite, ...]:
        """The suites of one of the plan's models."""
        return self.suites if model.suites is None else model.suites

    def backends_of(self, model: PlannedModel) -> tuple[PlannedBackend, ...]:
        """Its backends."""
        return self.backends if model.backends is None else model.backends

    def workloads_of(self, model: PlannedModel) -> tuple[PlannedWorkload, ...]:
        """Its workloads; none of checkpoints, which are measured by their tasks, where they have no own."""
        if model.workloads is not None:
            return model.workloads
        return () if model.checkpoints is not None else self.workloads

    def accelerators_of(self, model: PlannedModel) -> tuple[str, ...]:
        """Where it is measured."""
        return self.accelerators if model.accelerators is None else model.accelerators
