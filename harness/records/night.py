"""What a night leaves on disk beside its runs: its jobs as they were planned, what became of each, and the night's outcome.

Everything between the machines of a fleet passes through these files (`harness.fleet.folders` says where they lie).
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from zoo.strict import Frozen

NIGHT_SCHEMA = "minizoo.night/1"
Role = Literal["candidate", "canary", "parent"]
JobStatus = Literal["done", "failed", "infra_failed", "interrupted", "not_begun"]
"""`failed`: the model or the request did, and would again. `infra_failed`: the machine did, also when tried again.
`interrupted`: stopped from outside, to go on later. `not_begun`: the deadline, the budget or a failed start came first."""


class Step(Frozen):
    """One process of a job: a command of minizoo."""

    role: Role = "candidate"
    block: int = 0
    """Of speed blocks A-B-B-A: which of the job's blocks it belongs to."""
    words: tuple[str, ...]
    """Arguments after `minizoo`, without `--results`, which the job adds."""
    python: str | None = None
    """Another interpreter with a minizoo of its own, for a canary that is pinned with its whole environment; None: this one."""


class Job(Frozen):
    """One independent piece of a night: what is to run, and on what."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """Follows from the plan alone, so that a night that goes on finds its jobs."""
    kind: Literal["eval", "bench"]
    model: str
    """The registry's name, hub id or folder that is measured."""
    name: str | None = None
    """What results call a folder or a hub model; None: by its id."""
    label: str | None = None
    """Of a series of checkpoints: the run that they belong to."""
    axis: Literal["steps", "tokens"] | None = None
    at: int | None = None
    """Where on the axis a checkpoint stands."""
    parent: str | None = None
    baseline: str | None = None
    """The name of the baseline that its evaluation is held against; None: none."""
    suite: str | None = None
    workload: str | None = None
    backend: str | None = None
    accelerator: str | None = None
    """The GPU that it must run on, by its name in gpus.yaml (`h100-sxm`…); None: the CPU."""
    split: int = Field(1, ge=1)
    """Over how many nodes one evaluation is divided."""
    steps: tuple[Step, ...]
    minutes: float | None = None
    """How long it is expected to take."""
    recheck_of: str | None = None
    """The job that this one repeats in the same night, before an alarm."""


class StepRun(Frozen):
    """A run that a step of a job left in the job's own results."""

    role: Role
    block: int
    run_id: str


class Attempt(Frozen):
    """One time that a job was tried."""

    number: int
    started_at: datetime
    ended_at: datetime
    seconds: float
    """By the monotonic clock, so that a clock that jumps does not touch it."""
    host: str
    accelerator: str | None = None
    """The GPU as its driver names it; None on a CPU."""
    gpu_uuid: str | None = None
    exit_code: int | None = None
    """Of the step that ended it; negative: the signal that killed it; None: it was never started."""
    code: str | None = None
    """minizoo's word for the error."""
    text: str | None = None
    """The error in a paragraph."""


class Finding(Frozen):
    """A sentence about the night that its reader must see."""

    kind: Literal["regressed", "platform", "infra", "undecided", "told"]
    """`platform`: the canary itself moved. `told` decides nothing."""
    about: str
    """The job, model or file that it is about."""
    text: str


class JobOutcome(Frozen):
    """What became of a job; the last file that it writes."""

    job: str
    status: JobStatus
    attempts: tuple[Attempt, ...] = ()
    runs: tuple[StepRun, ...] = ()
    code: str | None = None
    text: str | None = None
    told: tuple[Finding, ...] = ()
    """What is to be known of its results: an invalid speed, a backend that is not verified."""


class Night(Frozen):
    """A night as it was planned, in `night.json` (and what `--emit` writes)."""

    schema_version: Literal["minizoo.night/1"] = NIGHT_SCHEMA
    id: str
    """A UUID version 7."""
    plan: str
    """The plan's name."""
    plan_digest: str
    """sha256 of the plan's file and of the suites and workloads beside it."""
    started_at: datetime
    minizoo: str
    jobs: tuple[Job, ...]
    told: tuple[Finding, ...] = ()
    """What planning left out or must say: a checkpoint that is not whole yet, speeds without a canary."""
    retries: int = 1
    """How often a job is tried again that its surroundings failed."""
    results: str | None = None
    """The results folder that all machines share, where the night was given out to a scheduler."""


class CanaryBlocks(Frozen):
    """What a speed job measured: one value a block of each metric."""

    job: str
    model: str
    workload: str
    point: str
    metric: str
    backend: str
    device: str
    gpu_uuid: str | None
    host: str
    candidate: tuple[float, ...]
    """In the metric's unit, a value a block."""
    canary: tuple[float, ...]
    canary_model: str
    canary_pin: str
    """Digest of the canary's weights, engine and versions: a series of its own where it changes."""
    changed_by: dict[str, str] = Field(default={})
    """Versions of engine, driver, torch, minizoo and weights, for what changed between two nights."""
    recheck_of: str | None = None
    """The job that this one repeated in the same night: its values take the place of that one's."""
    left_out: tuple[str, ...] = ()
    """Blocks that are in neither list, and why."""


class NightOutcome(Frozen):
    """The end of a night: the last file that it writes."""

    schema_version: Literal["minizoo.night/1"] = NIGHT_SCHEMA
    id: str
    plan: str
    plan_digest: str
    started_at: datetime
    ended_at: datetime
    exit_code: int
    jobs: tuple[JobOutcome, ...]
    findings: tuple[Finding, ...] = ()
    canary: tuple[CanaryBlocks, ...] = ()
