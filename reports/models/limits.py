"""What no machine can exceed: the roofline of a model on every GPU whose data sheet is known."""

from __future__ import annotations

from reports.models.grid import Cell, Column, Grid, Target, grid
from zoo.arch.gpus import Gpu, load_gpus, microarchitecture
from zoo.arch.held import Held
from zoo.arch.roofline import CACHED_BYTES, decode_work, largest_batch, least_time
from zoo.errors import StorageUnknown
from zoo.registry.loader import Model
from zoo.registry.stored import held_entry

CONTEXT = 4096
"""Tokens that each sequence has in its cache where batches are counted."""
IN_CACHE = "These weights fit into a large GPU's cache, where memory's bandwidth bounds nothing: the limit is of larger models."
COLUMNS = (
    Column("GPU"),
    Column("Architecture"),
    Column("Memory", number=True),
    Column("Tokens/s, batch 1", number=True),
    Column("Largest batch", number=True),
    Column("Tokens/s at it", number=True),
    Column("Bound there by"),
    Column("Products in"),
)


def limits(model: Model) -> Grid | str:
    """A row a GPU: tokens a second at most at batch 1 with an empty cache, and at the largest batch that fits; or why not."""
    try:
        held = held_entry(model, model.display)
        rows = [_row(model, name, gpu, held) for name, gpu in load_gpus().items()]
    except StorageUnknown as error:
        return f"{error.what} {error.hint}"
    held_as = held.told if held.told.startswith("as stored") else f"in {held.told}"
    note = (
        f"Weights {held_as}, the cache in {held.kv}. The largest batch is of sequences with {CONTEXT:,} tokens each; what "
        "activations take is left out. Peaks are the data sheets', dense. † a figure of the row is from a secondary source."
    )
    in_cache = (IN_CACHE,) if held.weights.total < CACHED_BYTES else ()
    drawn = grid(
        "Decode on the roofline: the bytes that a step must read over the bandwidth, or its FLOPs over the peak.",
        COLUMNS, rows, (note, *in_cache),
    )  # fmt: skip
    return drawn or "No GPU's data sheet is known."


def _row(model: Model, name: str, gpu: Gpu, held: Held) -> list[Cell]:
    products, peak = held.peak(gpu)
    dims = model.architecture

    def seconds(batch: int, context: int) -> tuple[float, str]:
        least = least_time(decode_work(dims, batch, context, held.weights, held.kv), gpu.bytes_per_s, peak)
        return least.seconds, least.bound_by

    fits = held.weights.total <= gpu.memory_bytes
    batch = largest_batch(dims, gpu.memory_bytes, CONTEXT, held.weights, held.kv)
    at_batch, bound_by = seconds(batch, CONTEXT) if batch else (0.0, "")
    return [
        Cell(gpu.display + ("" if gpu.checked else " †"), to=Target("speed", name)),
        Cell(microarchitecture(gpu.capability) or ""),
        Cell(f"{gpu.memory_gb:g} GB"),
        Cell(f"{1 / seconds(1, 0)[0]:,.0f}" if fits else "does not fit", mark="" if fits else "soft"),
        Cell(f"{batch:,}" if batch else "–"),
        Cell(f"{batch / at_batch:,.0f}" if batch else "–"),
        Cell(bound_by),
        Cell(products or ""),
    ]
