"""The roofline of a model on every known GPU: arithmetic alone, for `minizoo bench --dry-run`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from harness.speed.workloads.workload import Point, Workload, points
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.gpus import Gpu, load_gpus, microarchitecture, source_of
from zoo.arch.held import Held
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
    products: str | None = None
    """The dtype whose dense peak bounds matrix products; None where no sourced peak is held."""


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


def ceilings(dims: Dense | Hybrid, workload: Workload, held: Held) -> Iterator[Need]:
    """What each point of the workload needs and where its ceiling lies on each GPU of the table, weights and cache `held` so.

    A sweep is shown at its first point, and on each GPU at the largest batch whose weights and caches fit. Raises
    StorageUnknown where what a step reads of stored weights is not known.
    """
    # a sweep's own steps depend on the machine
    for point in takewhile(lambda p: not p.swept or p.batch == 1, points(workload)):
        if point.batch is not None:
            yield _need(dims, point, held)


def _need(dims: Dense | Hybrid, point: Point, held: Held) -> Need:
    batch, shape = point.batch or 1, point.shape
    length = shape.input + shape.output
    found: list[Ceiling] = []
    for name, gpu in load_gpus().items():
        fitting = largest_batch(dims, gpu.memory_bytes, length, held.weights, held.kv)
        found.append(_ceiling(dims, name, gpu, point, max(1, fitting) if point.swept else batch, fitting, held))
    return Need(
        point.name,
        batch,
        decode_work(dims, batch, mean_context(shape.input, shape.output), held.weights, held.kv),
        prefill_work(dims, batch, shape.input, held.weights, held.kv),
        memory_bytes(dims, batch, length, held.weights, held.kv),
        tuple(found),
    )


def _ceiling(dims: Dense | Hybrid, name: str, gpu: Gpu, point: Point, batch: int, fitting: int, held: Held) -> Ceiling:
    products, peak = held.peak(gpu)

    def at(work: Work) -> LeastTime:
        return least_time(work, gpu.bytes_per_s, peak)

    def step(context: int) -> LeastTime:
        return at(decode_work(dims, batch, context, held.weights, held.kv))

    used = step(mean_context(point.shape.input, point.shape.output))
    return Ceiling(
        gpu=name,
        display=gpu.display,
        architecture=microarchitecture(gpu.capability),
        source=source_of(gpu),
        checked=gpu.checked,
        batch=batch,
        empty_cache=batch / step(0).seconds,
        workload=batch / used.seconds,
        bound_by=used.bound_by,
        prefill_seconds=at(prefill_work(dims, batch, point.shape.input, held.weights, held.kv)).seconds,
        fits=fitting >= batch,
        products=products,
    )
