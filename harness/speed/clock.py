"""The clock that a measurement runs by; a test gives its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Seconds that only go forward, from an arbitrary zero, and waiting by them."""

    now: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep
