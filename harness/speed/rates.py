"""What this machine itself reaches: copy bandwidth and matmul rate, measured in the run that they are compared with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SMALLEST, LARGEST = 1 << 20, 1 << 30
SIDE = {"cpu": 1024, "cuda": 8192}
SECONDS = 0.4
REPEATS = 5


@dataclass(frozen=True)
class Rates:
    """The best of several repeats. Copying counts the bytes read and the bytes written."""

    bytes_per_s: float
    flops_per_s: float
    copy_bytes: int
    """Size of the buffer: a step's own bytes, so that it lies where the weights lie (cache or memory)."""
    matmul_side: int


def measure_rates(device: str, dtype: str, step_bytes: int) -> Rates:
    """Copy a buffer of `step_bytes` (1 MiB to 1 GiB) and multiply square matrices of `dtype` on the device."""
    import torch

    kind = torch.device(device).type
    wanted: Any = getattr(torch, dtype)
    size, side = min(max(step_bytes, SMALLEST), LARGEST), SIDE[kind]
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    a = torch.randn(side, side, device=device).to(wanted)
    product = torch.empty_like(a)

    def finish() -> None:
        if kind == "cuda":
            torch.cuda.synchronize(device)

    with torch.inference_mode():
        copying = _best(lambda: target.copy_(source), finish)
        multiplying = _best(lambda: torch.matmul(a, a, out=product), finish)
    return Rates(2 * size / copying, 2 * side**3 / multiplying, size, side)


def _best(work: Callable[[], Any], finish: Callable[[], None]) -> float:
    """Seconds of one call: the fastest repeat, each long enough for the clock, at least REPEATS and SECONDS in all."""
    work()
    finish()
    best, spent, repeats = float("inf"), 0.0, 0
    while repeats < REPEATS or spent < SECONDS:
        started = time.perf_counter()
        work()
        finish()
        took = time.perf_counter() - started
        best, spent, repeats = min(best, took), spent + took, repeats + 1
    return best
