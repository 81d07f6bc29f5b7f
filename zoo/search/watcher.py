"""Whom a search tells of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.prune.progress import ProgressCallback

if TYPE_CHECKING:
    from zoo.distill.train.metrics import StepMetrics


@dataclass(frozen=True)
class Watcher:
    """`progress` of long steps, `note` what is to be known at once, `step` of each step of a training (its name, what it was,
    to which step it goes now), `fetched` of weights that are fetched."""

    progress: ProgressCallback | None = None
    note: Callable[[str], None] = lambda _line: None
    step: Callable[[str, StepMetrics, int], None] = lambda _name, _metrics, _steps: None
    fetched: Any = None
