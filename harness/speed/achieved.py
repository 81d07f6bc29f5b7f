"""How near the measured steps came to the roofline, by the data sheet and by what the machine itself reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from harness.metrics.rooflines import Load, StepKind
from harness.records.speed_record import Achieved
from harness.speed.rates import Rates
from harness.speed.workloads.workload import Point
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.gpus import Gpu, source_of
from zoo.arch.parameters import Dtype
from zoo.arch.roofline import Work, least_time


def load_of(dims: Dense | Hybrid | None, point: Point, dtype: Dtype | None) -> Load | None:
    """What the point runs; None where dimensions or dtype are not known."""
    if dims is None or dtype is None:
        return None
    return Load(dims, dtype, point.batch, point.shape.input, point.shape.output)


def achieved(
    load: Load | None, measured: Mapping[StepKind, float | None], gpu: Gpu | None, rates: Rates | None
) -> tuple[Achieved, ...]:
    """Roofline over measured time of each step that has both; nothing for an open loop, whose batch changes."""
    works = load.works() if load else {}
    return tuple(
        _achieved(step, works[step], seconds, against, source, bytes_per_s, flops_per_s)
        for step, seconds in measured.items()
        if load and seconds and step in works
        for against, source, bytes_per_s, flops_per_s in _machines(gpu, load.dtype, rates)
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
