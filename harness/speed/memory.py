"""Whether points fit into the memory, by arithmetic, before they are tried."""

from __future__ import annotations

from collections.abc import Sequence

from backends.contract import OutOfMemory
from backends.memory import available_bytes
from harness.speed.probes.os_probe import resident_bytes
from harness.speed.system import SystemUnderTest
from harness.speed.workloads.workload import Point
from zoo.arch.roofline import memory_bytes


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
