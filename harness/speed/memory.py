"""Whether points fit into the memory, by arithmetic, before they are tried, and before the model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from backends.contract import OutOfMemory
from backends.memory import OURS, available_bytes, free_bytes
from harness.speed.loading import dims_of_checkpoint
from harness.speed.probes.os_probe import resident_bytes
from harness.speed.request import LoadRequest
from harness.speed.system import SystemUnderTest
from harness.speed.workloads.workload import Point, Workload, points
from zoo.arch.held import config_dtype
from zoo.arch.parameters import Dtype
from zoo.arch.roofline import largest_batch, memory_bytes
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import DeviceMemory


def check_room(checkpoint: Checkpoint, request: LoadRequest, workload: Workload) -> None:
    """Refuse, before the model is loaded, a workload of which no point fits beside the weights into what the device has free.

    DeviceMemory says the largest batch of its shortest requests that would fit. Where one point fits, the others are recorded
    as what they are once they are tried. Of other backends, and where bytes or memory are not known, nothing is refused.
    """
    from backends.hf.loading import compute_dtype, resolve_device

    dims, options = dims_of_checkpoint(checkpoint), request.options
    if dims is None or (request.backend or OURS[0]) not in OURS or options.devices:
        return
    device = resolve_device(options.device)
    wanted = str(compute_dtype(options.dtype, device)).removeprefix("torch.")
    said = config_dtype(checkpoint.config) if wanted == "auto" else wanted
    dtype: Dtype | None = next((known for known in get_args(Dtype) if known == said), None)
    has = free_bytes(device)
    # Of a sweep the first batch: it ends where memory does.
    tried = [point for point in points(workload) if point.batch is not None and (not point.swept or point.batch == 1)]
    if dtype is None or has is None or not tried:
        return
    needs = {point: memory_bytes(dims, point.batch or 1, length_of(point), dtype, dtype) for point in tried}
    least = min(tried, key=lambda point: needs[point])
    if needs[least] <= has:
        return
    fits = largest_batch(dims, has, length_of(least), dtype, dtype)
    raise DeviceMemory(
        f"The weights of {checkpoint.name} and the caches of {least.batch} sequences of {length_of(least):,} tokens take "
        f"{needs[least] / 1e9:.2f} GB as {dtype}, and {device} has {has / 1e9:.2f} GB of memory free. Nothing was loaded. The "
        f"largest batch of that length that fits is {fits}.",
        f"Take `--batch {fits}`." if fits else "Take a narrower --dtype, another --device, or a smaller model.",
    )


def length_of(point: Point) -> int:
    """Tokens of a request."""
    return point.shape.input + point.shape.output


def check_fits(points: Sequence[tuple[SystemUnderTest, Point]], what: str = "weights and caches") -> None:
    """Raise OutOfMemory where models on one device cannot be at these points at a time, `what` naming it all.

    A CPU would swap or kill the process before it refused. Nothing is raised where bytes or memory are not known.
    """
    needs = 0
    for system, point in points:
        if system.dims is None or system.dtype is None:
            return
        length = point.shape.input + point.shape.output
        needs += memory_bytes(system.dims, system.room(point), length, system.dtype, system.dtype)
    first = points[0][0]
    has = memory_of(first)
    if has is not None and needs > has:
        raise OutOfMemory(f"{what} take {needs / 1e9:.2f} GB, {first.backend.device} has {has / 1e9:.2f} GB")


def memory_of(system: SystemUnderTest) -> int | None:
    """Bytes that weights and caches may take together; None where that is not known."""
    if system.backend.device.startswith("cuda"):
        total = system.probe.facts().get("memory_bytes")
        return int(total) if total else None
    free, held = available_bytes(), resident_bytes()
    return None if free is None else free + (held or 0)
