"""The roofline of a model on every known GPU: arithmetic alone, for `minizoo bench --dry-run`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from harness.speed.workloads.workload import Point, Workload, points
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.gpus import Gpu, load_gpus, microarchitecture, source_of
from zoo.arch.parameters import BITS, Dtype
from zoo.arch.roofline import (
    LeastTime,
    Work,
    decode_work,
    largest_batch,
    least_time,
    mean_context,
    memory_bytes,
    prefill_work,
)
from zoo.errors import UnsupportedDtype


@dataclass(frozen=True)
class Ceiling:
    """What one GPU allows at a point. Rates are output tokens a second of the whole batch."""

    gpu: str
    display: str
    architecture: str | None
    source: str
    checked: bool
    batch: int
    empty_cache: float
    """Tokens a second where the cache is still empty."""
    workload: float
    """Tokens a second with the workload's mean cache."""
    bound_by: str
    """`bandwidth` or `compute`."""
    prefill_seconds: float
    fits: bool


@dataclass(frozen=True)
class Need:
    """What a point asks of any machine, and the ceilings of all of them."""

    point: str
    batch: int
    decode: Work
    """One step with the workload's mean cache."""
    prefill: Work
    memory: int
    ceilings: tuple[Ceiling, ...]


def known_dtype(wanted: str, auto: Dtype = "bfloat16") -> Dtype:
    """The dtype of that name whose bytes are known; UnsupportedDtype for another."""
    if wanted == "auto":
        return auto
    if wanted not in BITS:
        raise UnsupportedDtype(f"'{wanted}' is not a dtype whose size is known.", f"Use {', '.join(BITS)}.")
    return wanted


def ceilings(dims: Dense | Hybrid, workload: Workload, dtype: Dtype) -> Iterator[Need]:
    """What each point of the workload needs and where its ceiling lies on each GPU of the table.

    A sweep is shown at its first point, and on each GPU at the largest batch whose weights and caches fit. The cache is
    held in the weights' dtype, or in 16 bits where those are narrower.
    """
    # a sweep's own steps depend on the machine
    for point in takewhile(lambda p: not p.swept or p.batch == 1, points(workload)):
        if point.batch is not None:
            yield _need(dims, point, dtype)


def kv_dtype_of(dtype: Dtype) -> Dtype:
    """The dtype of the cache beside weights of `dtype`."""
    return dtype if BITS[dtype] >= 16 else "bfloat16"


def _need(dims: Dense | Hybrid, point: Point, dtype: Dtype) -> Need:
    batch, kv, shape = point.batch or 1, kv_dtype_of(dtype), point.shape
    length = shape.input + shape.output
    found: list[Ceiling] = []
    for name, gpu in load_gpus().items():
        fitting = largest_batch(dims, gpu.memory_bytes, length, dtype, kv)
        found.append(_ceiling(dims, name, gpu, point, max(1, fitting) if point.swept else batch, fitting, dtype, kv))
    return Need(
        point.name,
        batch,
        decode_work(dims, batch, mean_context(shape.input, shape.output), dtype, kv),
        prefill_work(dims, batch, shape.input, dtype, kv),
        memory_bytes(dims, batch, length, dtype, kv),
        tuple(found),
    )


def _ceiling(
    dims: Dense | Hybrid, name: str, gpu: Gpu, point: Point, batch: int, fitting: int, dtype: Dtype, kv: Dtype
) -> Ceiling:
    def at(work: Work) -> LeastTime:
        return least_time(work, gpu.bytes_per_s, gpu.flops_per_s(dtype))

    used = at(decode_work(dims, batch, mean_context(point.shape.input, point.shape.output), dtype, kv))
    return Ceiling(
        gpu=name,
        display=gpu.display,
        architecture=microarchitecture(gpu.capability),
        source=source_of(gpu),
        checked=gpu.checked,
        batch=batch,
        empty_cache=batch / at(decode_work(dims, batch, 0, dtype, kv)).seconds,
        workload=batch / used.seconds,
        bound_by=used.bound_by,
        prefill_seconds=at(prefill_work(dims, batch, point.shape.input, dtype, kv)).seconds,
        fits=fitting >= batch,
    )
