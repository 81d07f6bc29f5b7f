"""Speed beside the roofline: what the steps of a point must do, and which of its figures no machine of that kind can reach.

A figure that is too good tells of a clock, a count or a name that is wrong, so each bound leans to the side of the figure: see
`zoo.arch.roofline.least_believable`, and what is said beside each metric here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median_low
from typing import Any, Literal

from harness.metrics.speed_metrics import load_metrics
from harness.metrics.trial_facts import TrialFacts
from harness.records.speed_record import Statistic
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.gpus import Gpu, find_gpu
from zoo.arch.parameters import Dtype
from zoo.arch.roofline import (
    CACHED_BYTES,
    MARGIN,
    Work,
    decode_work,
    least_believable,
    mean_context,
    prefill_work,
)

StepKind = Literal["decode", "prefill"]


@dataclass(frozen=True)
class Load:
    """What a point runs: a model in a dtype, and a batch of requests of one length in and out."""

    dims: Dense | Hybrid
    dtype: Dtype
    batch: int | None
    """None of an open loop, whose batch changes from step to step."""
    input_tokens: int
    output_tokens: int

    def decode(self) -> Work:
        """A decode step of the batch with the cache at its mean length over the answer."""
        context = mean_context(self.input_tokens, self.output_tokens)
        return decode_work(self.dims, self.batch or 1, context, self.dtype, self.dtype)

    def prefill(self, requests: int | None = None) -> Work:
        """The prefill of so many requests; without a number of the batch."""
        return prefill_work(self.dims, requests or self.batch or 1, self.input_tokens, self.dtype, self.dtype)

    def works(self) -> dict[StepKind, Work]:
        """Both steps; nothing for an open loop."""
        return {} if self.batch is None else {"decode": self.decode(), "prefill": self.prefill()}


@dataclass(frozen=True)
class Machine:
    """What bounds a step, and how far the bound is trusted."""

    name: str
    bytes_per_s: float
    flops_per_s: float | None
    margin: float = MARGIN
    cached: int = CACHED_BYTES

    def least(self, work: Work) -> float:
        """Seconds below which no measurement of that work is believed."""
        return least_believable(work, self.bytes_per_s, self.flops_per_s, self.margin, self.cached)


def by_data_sheet(gpu: Gpu, dtype: Dtype) -> Machine:
    """The machine that a GPU's data sheet describes."""
    return Machine(gpu.display, gpu.bytes_per_s, gpu.flops_per_s(dtype))


def gpu_of(facts: Mapping[str, Any]) -> Gpu | None:
    """The data sheet of the device that the probe's facts describe; None for one that is not in the table."""
    product, capability = facts.get("product"), facts.get("capability")
    return find_gpu(str(product), str(capability)) if product and capability else None


def above_roofline(statistics: Iterable[Statistic], load: Load, machine: Machine) -> list[str]:
    """A sentence for each median or mean that is better than the machine allows."""
    times, rates = _least_seconds(load, machine), _most(load, machine)
    told: list[str] = []
    for stated in statistics:
        if stated.value is None or stated.statistic not in ("p50", "mean"):
            continue
        least, most = times.get(stated.metric), rates.get(stated.metric)
        if (least is not None and stated.value < least) or (most is not None and stated.value > most):
            told.append(
                _sentence(stated, f"at least {least:.4g}" if least is not None else f"at most {most:.4g}", machine)
            )
    return told


def measured_steps(statistics: Iterable[Statistic], facts: TrialFacts) -> dict[StepKind, float | None]:
    """Seconds of each step: of the decode the median ITL, of the prefill that of the time until the whole batch has its first
    tokens. (TTFT is the mean over a batch whose prompts may be prefilled one after the other.)"""
    medians = {s.metric: s.value for s in statistics if s.statistic in ("p50", "mean") and s.value is not None}
    return {"decode": medians.get("itl"), "prefill": median_low(facts.prefill_s) if facts.prefill_s else None}


def _least_seconds(load: Load, machine: Machine) -> dict[str, float]:
    """Metric → seconds that it takes at least.

    First tokens may come prompt by prompt, so that the k-th of a batch has waited for k prefills: on the mean for those of half
    the batch. Of an open loop a request may have been alone.
    """
    decode = machine.least(load.decode())
    first = machine.least(load.prefill(((load.batch or 1) + 1) // 2))
    whole = first + (load.output_tokens - 1) * decode
    return {"ttft": first, "itl": decode, "tpot": decode, "e2e": whole, "tpot_guidellm": whole / load.output_tokens}


def _most(load: Load, machine: Machine) -> dict[str, float]:
    """Metric → what it is at most, a second. Nothing for an open loop, nor where no time is known to be too short."""
    if load.batch is None:
        return {}
    seconds = machine.least(load.prefill()) + (load.output_tokens - 1) * machine.least(load.decode())
    if not seconds:
        return {}
    rate = load.batch / seconds
    length = load.input_tokens + load.output_tokens
    return {"output_rate": rate * load.output_tokens, "total_rate": rate * length, "request_rate": rate}


def _sentence(stated: Statistic, allowed: str, machine: Machine) -> str:
    metric = load_metrics()[stated.metric]
    return (
        f"faster than the roofline: {metric.display} ({stated.statistic}) of {stated.value:.4g} {metric.unit}, where "
        f"{machine.name} allows {allowed}"
    )
