"""The system under test: a loaded model, and the machine that it runs on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from backends.contract import StreamingBackend, compute_dtype_of
from harness.speed.clock import Clock
from harness.speed.probes.probe import Probe
from harness.speed.workloads.workload import Point
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.parameters import BITS, Dtype

OPEN_ROOM = 32
"""Requests of an open loop that run at a time; the others wait, and their wait counts."""


@dataclass(frozen=True)
class SystemUnderTest:
    """A loaded model, ready to be measured, with the probe of its device."""

    backend: StreamingBackend
    probe: Probe
    dims: Dense | Hybrid | None
    """None for a folder whose architecture has no closed form: then no roofline is shown."""
    vocabulary: int
    weights: Literal["real", "random"] = "real"
    load_s: float | None = None
    seed: int = 0
    """Of prompts and arrivals."""
    clock: Clock = field(default_factory=Clock)
    held_in_dtype: bool = True
    """False for quantised weights that the engine keeps in another form than the dtype that it computes in."""

    @property
    def dtype(self) -> Dtype | None:
        """The weights' dtype where its bytes are known; where not, no roofline is shown and no memory is counted."""
        known = self.held_in_dtype and self.backend.dtype in BITS
        return self.backend.dtype if known else None  # pyright: ignore[reportReturnType]

    @property
    def products_dtype(self) -> str:
        """The dtype whose matmul rate bounds the layers: a CPU multiplies some half-precision weights in fp32."""
        said = compute_dtype_of(self.backend)
        return said if said in BITS else self.backend.dtype

    def room(self, point: Point) -> int:
        """Requests that run at a time."""
        return point.batch or OPEN_ROOM
