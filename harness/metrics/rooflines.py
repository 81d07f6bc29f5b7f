"""Speed beside the roofline: what the steps of a point must do, how near they came to it, and what no such machine can reach.

A figure that is too good tells of a clock, a count or a name that is wrong, so each bound leans to the side of the figure: see
`zoo.arch.roofline.least_believable`, and what is said of each metric here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any, Literal

from harness.metrics.speed_metrics import load_metrics
from harness.metrics.trial_facts import TrialFacts
from harness.records.speed_record import Achieved, Statistic
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.gpus import Gpu, find_gpu, source_of
from zoo.arch.parameters import Dtype
from zoo.arch.roofline import (
    CACHED_BYTES,
    MARGIN,
    Work,
    decode_work,
    least_believable,
    least_time,
    mean_context,
    prefill_work,
)

StepKind = Literal["decode", "prefill"]
OWN_RATES = 10.0
"""How much faster than a machine's own rates a step may be and still be believed: its word proves nothing, and a small copy or
product is far from its best, so an order of magnitude."""


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
class Roofline:
    """What bounds a step: a GPU's data sheet, or what the machine itself reached."""

    against: Literal["data sheet", "measured"]
    name: str
    source: str
    bytes_per_s: float
    flops_per_s: float | None

    def least(self, work: Work) -> float:
        """Seconds below which no measurement of that work is believed."""
        margin, cached = (MARGIN, CACHED_BYTES) if self.against == "data sheet" else (OWN_RATES, 0)
        return least_believable(work, self.bytes_per_s, self.flops_per_s, margin, cached)


def gpu_of(facts: Mapping[str, Any]) -> Gpu | None:
    """The data sheet of the device that the probe's facts describe; None for one that is not in the table."""
    product, capability = facts.get("product"), facts.get("capability")
    return find_gpu(str(product), str(capability)) if product and capability else None


def sheet_roofline(gpu: Gpu, dtype: Dtype) -> Roofline:
    """The roofline of a GPU's data sheet."""
    return Roofline("data sheet", gpu.display, source_of(gpu), gpu.bytes_per_s, gpu.flops_per_s(dtype))


def measured_steps(statistics: Iterable[Statistic], facts: TrialFacts) -> dict[StepKind, float | None]:
    """Seconds of each step: of the decode the median ITL, of the prefill the median time until the whole batch has its first
    tokens. (TTFT is the mean over a batch, whose prompts may be prefilled one after the other.)"""
    medians = {s.metric: s.value for s in statistics if s.statistic in ("p50", "mean") and s.value is not None}
    return {"decode": medians.get("itl"), "prefill": median_low(facts.prefill_s) if facts.prefill_s else None}


def beside_rooflines(
    load: Load, measured: Mapping[StepKind, float | None], rooflines: Sequence[Roofline]
) -> tuple[Achieved, ...]:
    """Roofline over measured time, for each step that has both; nothing for an open loop."""
    works = load.works()
    return tuple(
        _achieved(step, works[step], seconds, roofline)
        for step, seconds in measured.items()
        if seconds and step in works
        for roofline in rooflines
    )


def above_roofline(statistics: Iterable[Statistic], load: Load, roofline: Roofline) -> list[str]:
    """A sentence for each median or mean that is better than the roofline allows."""
    times, rates = _least_seconds(load, roofline), _most(load, roofline)
    told: list[str] = []
    for stated in statistics:
        if stated.value is None or stated.statistic not in ("p50", "mean"):
            continue
        least, most = times.get(stated.metric), rates.get(stated.metric)
        if least is not None and stated.value < least:
            told.append(_sentence(stated, roofline, f"at least {least:.4g}"))
        if most is not None and stated.value > most:
            told.append(_sentence(stated, roofline, f"at most {most:.4g}"))
    return told


def _achieved(step: StepKind, work: Work, seconds: float, roofline: Roofline) -> Achieved:
    least = least_time(work, roofline.bytes_per_s, roofline.flops_per_s)
    return Achieved(
        step=step,
        against=roofline.against,
        source=roofline.source,
        bytes_per_s=roofline.bytes_per_s,
        flops_per_s=roofline.flops_per_s,
        bytes=work.bytes,
        flops=work.flops,
        roofline_s=least.seconds,
        measured_s=seconds,
        percent=100 * least.seconds / seconds,
        bound_by=least.bound_by,
    )


def _least_seconds(load: Load, roofline: Roofline) -> dict[str, float]:
    """Metric → seconds that it takes at least.

    First tokens may come prompt by prompt, so that the k-th of a batch has waited for k prefills: on the mean for those of half
    the batch. Of an open loop a request may have been alone.
    """
    decode = roofline.least(load.decode())
    first = roofline.least(load.prefill(((load.batch or 1) + 1) // 2))
    whole = first + (load.output_tokens - 1) * decode
    return {"ttft": first, "itl": decode, "tpot": decode, "e2e": whole, "tpot_guidellm": whole / load.output_tokens}


def _most(load: Load, roofline: Roofline) -> dict[str, float]:
    """Metric → what it is at most. Nothing for an open loop, nor where no time is known to be too short."""
    if load.batch is None:
        return {}
    seconds = roofline.least(load.prefill()) + (load.output_tokens - 1) * roofline.least(load.decode())
    if not seconds:
        return {}
    rate, length = load.batch / seconds, load.input_tokens + load.output_tokens
    return {"output_rate": rate * load.output_tokens, "total_rate": rate * length, "request_rate": rate}


def _sentence(stated: Statistic, roofline: Roofline, allowed: str) -> str:
    metric = load_metrics()[stated.metric]
    figure = f"{metric.display} ({stated.statistic}) of {stated.value:.4g} {metric.unit}"
    return f"faster than the roofline: {figure}, where {roofline.name} allows {allowed} {metric.unit}"
