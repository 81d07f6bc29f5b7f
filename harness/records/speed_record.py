"""What a speed record says beyond an accuracy record: validity first, then figures, then the circumstances."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, Field, model_validator

from harness.records.reason_codes import code_of_sentence
from zoo.strict import Frozen


class Reason(Frozen):
    """Why a result is invalid, or what else is to be known of it. Programs branch on `code` (see reason_codes)."""

    code: str
    text: str

    @model_validator(mode="before")
    @classmethod
    def _of_a_sentence(cls, value: Any) -> Any:
        """Records of before the codes hold the sentence alone."""
        return {"code": code_of_sentence(value), "text": value} if isinstance(value, str) else value


class Validity(Frozen):
    """Whether the figures can be trusted. `reasons` make them invalid; `notes` only annotate them."""

    valid: bool
    reasons: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()


class Statistic(Frozen):
    """One figure of a metric, in the metric's unit.

    A measured point keeps value and n; interval and refusal are derived from its trials (`recorded`). Records of before
    schema 2 hold them, and imported figures, whose samples are not all there.
    """

    metric: str
    statistic: str
    """`p50`, `p90`, `p99`; `mean` where a metric has too few samples for a median."""
    value: float | None
    """None where there are too few samples."""
    lower: float | None = None
    upper: float | None = None
    n: int
    confidence: float | None = None
    refused: str | None = None
    """Why there is no value."""

    def recorded(self) -> Statistic:
        """Without what is derived on read."""
        return Statistic(metric=self.metric, statistic=self.statistic, value=self.value, n=self.n)


class Achieved(Frozen):
    """How near a step came to the roofline: max(bytes / bandwidth, FLOPs / peak)."""

    step: Literal["decode", "prefill"]
    against: Literal["data sheet", "measured"]
    source: str
    bytes_per_s: float
    flops_per_s: float | None
    bytes: int
    flops: int
    roofline_s: float = Field(validation_alias=AliasChoices("roofline_s", "limit_s"))
    """Seconds that the step takes at least."""
    measured_s: float
    percent: float
    bound_by: Literal["bandwidth", "compute"] = Field(validation_alias=AliasChoices("bound_by", "binds"))


class Memory(Frozen):
    """Peak memory in bytes; None where the source does not tell."""

    allocator: int | None = None
    device: int | None = None
    """Of the whole device by NVML, other processes included."""
    resident: int | None = None
    """Of this process in the host's memory."""


class SpeedComparison(Frozen):
    """This model's speed over another's at one point, from interleaved trials.

    `lower`, `upper` and `p_value` are derived from the trials of both runs; records of before schema 2 hold them.
    """

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
    lower: float | None = None
    upper: float | None = None
    """Ends of the 95 % interval of the bootstrap."""
    p_value: float | None = None
    """Two-sided Mann–Whitney."""
    n: int
    against_n: int
    """Trials."""
    seed: int
    """Of the bootstrap's resamples."""
    resamples: int | None = None
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
    slo: dict[str, float] = Field(default={}, validation_alias=AliasChoices("slo", "limits"))
    """Service-level objectives (ttft, tpot, e2e): what a request had to keep for goodput, in seconds."""
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
    roofline_note: str | None = Field(default=None, validation_alias=AliasChoices("roofline_note", "limit_note"))
    """Why a roofline is not shown."""
    machine: dict[str, Any] = Field(default={}, validation_alias=AliasChoices("machine", "facts"))
    """What the machine said of itself before the measurement."""
    telemetry: dict[str, float] = Field(default={})
    energy_integrated_j: float | None = None
    comparisons: tuple[SpeedComparison, ...] = ()
