"""How near the measured steps came to the roofline, by the data sheet and by what the machine itself reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from harness.records.speed_record import Achieved, Statistic
from harness.speed.rates import Rates
from harness.speed.workloads.workload import Point
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.gpus import Gpu, find_gpu, source_of
from zoo.arch.parameters import Dtype
from zoo.arch.roofline import Work, decode_work, least_time, mean_context, prefill_work

StepKind = Literal["decode", "prefill"]


def gpu_of(facts: Mapping[str, Any]) -> Gpu | None:
    """The data sheet of the device that the probe's facts describe; None for one that is not in the table."""
    product, capability = facts.get("product"), facts.get("capability")
    return find_gpu(str(product), str(capability)) if product and capability else None


def step_works(dims: Dense | Hybrid | None, point: Point, dtype: Dtype | None) -> dict[StepKind, Work]:
    """What a decode step (mean cache) and the prefill of the whole batch must do.

    Nothing for an open loop, whose batch changes from step to step, and where dimensions or dtype are not known.
    """
    if dims is None or dtype is None or point.batch is None:
        return {}
    shape = point.shape
    return {
        "decode": decode_work(dims, point.batch, mean_context(shape.input, shape.output), dtype, dtype),
        "prefill": prefill_work(dims, point.batch, shape.input, dtype, dtype),
    }


def achieved(
    work: Mapping[StepKind, Work],
    dtype: Dtype | None,
    statistics: Sequence[Statistic],
    gpu: Gpu | None,
    rates: Rates | None,
) -> tuple[Achieved, ...]:
    """Roofline over measured time: the decode step against the median ITL, the prefill against the median TTFT."""
    if dtype is None:
        return ()
    medians = {s.metric: s.value for s in statistics if s.statistic in ("p50", "mean") and s.value is not None}
    measured: dict[StepKind, float | None] = {"decode": medians.get("itl"), "prefill": medians.get("ttft")}
    return tuple(
        _achieved(step, work[step], seconds, against, source, bytes_per_s, flops_per_s)
        for step, seconds in measured.items()
        if seconds and step in work
        for against, source, bytes_per_s, flops_per_s in _machines(gpu, dtype, rates)
    )


def _machines(
    gpu: Gpu | None, dtype: Dtype, rates: Rates | None
) -> Iterator[tuple[Literal["data sheet", "measured"], str, float, float | None]]:
    if gpu is not None:
        yield "data sheet", source_of(gpu), gpu.bytes_per_s, gpu.flops_per_s(dtype)
    if rates is not None:
        how = f"copy of {rates.copy_bytes / 2**20:.1f} MiB, matmul of {rates.matmul_side}², this run"
        yield "measured", how, rates.bytes_per_s, rates.flops_per_s


def _achieved(
    step: StepKind, work: Work, seconds: float, against: Literal["data sheet", "measured"], source: str, bytes_per_s: float,
    flops_per_s: float | None,
) -> Achieved:  # fmt: skip
    least = least_time(work, bytes_per_s, flops_per_s)
    return Achieved(
        step=step,
        against=against,
        source=source,
        bytes_per_s=bytes_per_s,
        flops_per_s=flops_per_s,
        bytes=work.bytes,
        flops=work.flops,
        roofline_s=least.seconds,
        measured_s=seconds,
        percent=100 * least.seconds / seconds,
        bound_by=least.bound_by,
    )
