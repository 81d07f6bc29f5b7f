"""Whom a pruning run tells of itself while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zoo.prune.importance.cost import MeasurementCost
from zoo.prune.progress import ProgressCallback


@dataclass(frozen=True)
class Watcher:
    """Whom a run tells: `progress` of long steps, `note` what the user must know at once, and `estimated`, before a
    measurement, what is left to do and the rate in FLOP/s of the devices."""

    progress: ProgressCallback | None = None
    note: Callable[[str], None] = lambda _line: None
    estimated: Callable[[MeasurementCost, float], None] | None = None
    fetched: ProgressCallback | None = None
    """Told of the parent's bytes, where it comes from the hub."""
