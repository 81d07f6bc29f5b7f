"""What a speed record says beyond an accuracy record: validity first, then figures, then the circumstances."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from zoo.strict import Frozen


class Validity(Frozen):
    """Whether the figures can be trusted. `reasons` make them invalid; `notes` only annotate them."""

    valid: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Statistic(Frozen):
    """One figure of a metric, in the metric's unit. `refused` says why there is no value."""

    metric: str
    statistic: str
    """`p50`, `p90`, `p99`; `mean` where a metric has too few samples for a median."""
    value: float | None
    lower: float | None = None
    upper: float | None = None
    n: int
    confidence: float | None = None
    refused: str | None = None


class Achieved(Frozen):
    """How near a step came to the physical limit."""

    step: Literal["decode", "prefill"]
    against: Literal["data sheet", "measured"]
    source: str
    bytes_per_s: float
    flops_per_s: float | None
    bytes: int
    flops: int
    limit_s: float
    measured_s: float
    percent: float
    binds: Literal["bandwidth", "compute"]


class Memory(Frozen):
    """Peak memory in bytes; None where the source does not tell."""

    allocator: int | None = None
    device: int | None = None
    """Of the whole device by NVML, other processes included."""
    resident: int | None = None
    """Of this process in the host's memory."""


class Comparison(Frozen):
    """This model's speed over another's at one point, from interleaved trials."""

    against: str
    against_run_id: str
    """The run of the other side, which was measured in turn with this one."""
    mode: Literal["equal batch", "equal memory"]
    batch: int
    against_batch: int
    memory_budget: int | None
    """Bytes of weights and caches that each had to fit into, where that was the rule."""
    metric: str
    ratio: float
    """Median over median of the trials; above 1 is faster, for times too."""
    lower: float
    upper: float
    """Ends of the 95 % interval of the bootstrap."""
    p_value: float
    """Two-sided Mann–Whitney."""
    n: int
    against_n: int
    """Trials."""
    seed: int
    """Of the bootstrap's resamples."""
    resamples: int
    valid: bool
    """Whether both rows are."""
    notes: tuple[str, ...] = ()
    published: tuple[str, ...] = ()


class SpeedFacts(Frozen):
    """Everything about one point of a workload."""

    workload: str
    point: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    batch: int | None = None
    rate: float | None = None
    room: int | None = None
    """Requests that could run at a time."""
    weights: Literal["real", "random", "unknown"] = "real"
    power_capped: bool = False
    limits: dict[str, float] = Field(default={})
    """What a request had to keep for goodput, in seconds."""
    validity: Validity
    load_s: float | None = None
    first_call_s: float | None = None
    """The first trial of the process: compilation and first touches, in no metric."""
    warmup_s: tuple[float, ...] = ()
    trials: int = 0
    seconds: float = 0.0
    memory: Memory = Memory()
    statistics: tuple[Statistic, ...] = ()
    achieved: tuple[Achieved, ...] = ()
    limit_note: str | None = None
    """Why a limit is not shown."""
    facts: dict[str, Any] = Field(default={})
    """What the machine said of itself before the measurement."""
    telemetry: dict[str, float] = Field(default={})
    energy_integrated_j: float | None = None
    comparisons: tuple[Comparison, ...] = ()
