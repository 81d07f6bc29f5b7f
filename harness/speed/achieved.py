"""How near the measured steps came to the roofline, by the data sheet and by what the machine itself reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.metrics.rooflines import Load, Roofline, StepKind, beside_rooflines, sheet_roofline
from harness.records.speed_record import Achieved
from harness.speed.rates import Rates
from harness.speed.workloads.workload import Point
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.gpus import Gpu
from zoo.arch.parameters import Dtype


def load_of(dims: Dense | Hybrid | None, point: Point, dtype: Dtype | None) -> Load | None:
    """What the point runs; None where dimensions or dtype are not known."""
    if dims is None or dtype is None:
        return None
    return Load(dims, dtype, point.batch, point.shape.input, point.shape.output)


def achieved(
    load: Load | None, measured: Mapping[StepKind, float | None], gpu: Gpu | None, rates: Rates | None
) -> tuple[Achieved, ...]:
    """Roofline over measured time of each step, by each roofline that is known; nothing for an open loop."""
    return beside_rooflines(load, measured, tuple(_rooflines(load.dtype, gpu, rates))) if load else ()


def _rooflines(dtype: Dtype, gpu: Gpu | None, rates: Rates | None) -> Iterator[Roofline]:
    if gpu is not None:
        yield sheet_roofline(gpu, dtype)
    if rates is not None:
        how = f"copy of {rates.copy_bytes / 2**20:.1f} MiB, matmul of {rates.matmul_side}², this run"
        yield Roofline("measured", "this machine", how, rates.bytes_per_s, rates.flops_per_s)
