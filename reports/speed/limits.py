"""What a GPU's data sheet allows of each model of the registry: arithmetic alone, so that no GPU's page is empty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zoo.arch.gpus import Gpu
from zoo.arch.held import Held
from zoo.arch.roofline import CACHED_BYTES, Work, decode_work, largest_batch, least_time, mean_context, prefill_work
from zoo.errors import StorageUnknown
from zoo.registry.loader import Model, Registry
from zoo.registry.stored import held_entry


@dataclass(frozen=True)
class Shape:
    """A request: tokens in and out."""

    input: int = 128
    output: int = 128
    """Of the workload batch1."""

    @property
    def length(self) -> int:
        """Tokens in the cache at the end."""
        return self.input + self.output


@dataclass(frozen=True)
class Limit:
    """What one model reaches at most on one GPU, weights held as they are stored. Rates are output tokens a second."""

    model: str
    display: str
    kind: str
    parent: str | None
    held: str
    """How the weights are held, in words."""
    weights: int
    """Their bytes."""
    fits: bool
    """Whether they and one request's cache fit; activations are left out."""
    rate: float
    """At batch 1."""
    bound_by: str
    largest: int
    """The largest batch whose weights and caches fit into the GPU's memory."""
    largest_rate: float | None
    """At that batch; None where nothing fits."""


def limits_on(gpu: Gpu, registry: Registry, shape: Shape) -> tuple[Limit, ...]:
    """Of every model of the registry whose stored size is known and that no cache could hold, in the registry's order."""
    return tuple(_limit(model, held, gpu, shape) for model, held in _held(registry))


def most_tokens_per_s(model: Model, gpu: Gpu, shape: Shape, batch: int) -> float | None:
    """Output tokens a second of the batch at most; None where that is not known, or weights and caches do not fit."""
    held = _bounded(model)
    if held is None or largest_batch(model.architecture, gpu.memory_bytes, shape.length, held.weights, held.kv) < batch:
        return None
    return _rate(model, held, gpu, shape, batch)[0]


def _held(registry: Registry) -> Iterator[tuple[Model, Held]]:
    yield from ((model, held) for model in registry.models.values() if (held := _bounded(model)))


def _bounded(model: Model) -> Held | None:
    """How the weights are held; None where nobody says what they take, or bandwidth does not bound reading them."""
    try:
        held = held_entry(model, model.id)
    except StorageUnknown:
        return None
    return held if held.weights.total > CACHED_BYTES else None


def _limit(model: Model, held: Held, gpu: Gpu, shape: Shape) -> Limit:
    largest = largest_batch(model.architecture, gpu.memory_bytes, shape.length, held.weights, held.kv)
    rate, bound_by = _rate(model, held, gpu, shape, 1)
    return Limit(
        model=model.id,
        display=model.display,
        kind=model.kind,
        parent=model.lineage.parent if model.lineage else None,
        held=held.told,
        weights=held.weights.total,
        fits=largest >= 1,
        rate=rate,
        bound_by=bound_by,
        largest=largest,
        largest_rate=_rate(model, held, gpu, shape, largest)[0] if largest else None,
    )


def _rate(model: Model, held: Held, gpu: Gpu, shape: Shape, batch: int) -> tuple[float, str]:
    """Output tokens over the least time of the prefill and the decode steps after it, and what a decode step is bound by.

    As the metric output_rate counts them: the first token comes of the prefill.
    """
    _, peak = held.peak(gpu)
    dims = model.architecture

    def least(work: Work) -> tuple[float, str]:
        time = least_time(work, gpu.bytes_per_s, peak)
        return time.seconds, time.bound_by

    context = mean_context(shape.input, shape.output)
    step, bound_by = least(decode_work(dims, batch, context, held.weights, held.kv))
    first, _ = least(prefill_work(dims, batch, shape.input, held.weights, held.kv))
    return batch * shape.output / (first + (shape.output - 1) * step), bound_by
