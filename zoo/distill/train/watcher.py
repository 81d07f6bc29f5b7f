"""Whom a training run tells of itself, and whom it asks how good a checkpoint is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zoo.distill.train.metrics import StepMetrics


@dataclass(frozen=True)
class Measured:
    """What a checkpoint scored: the one number by which checkpoints are compared (higher is better), and each task's."""

    value: float
    tasks: Mapping[str, float] = field(default_factory=dict[str, float])


Evaluate = Callable[[Path], Measured]
"""Takes the folder of a checkpoint; passed in from above, called on the first rank alone."""


@dataclass(frozen=True)
class Watcher:
    """Whom the first rank tells: `step` of each step and the number of all steps, `note` what the user must know at once,
    `saved` of each checkpoint, `evaluated` of each measurement (the steps before it, and what came out)."""

    step: Callable[[StepMetrics, int], None] = lambda _metrics, _steps: None
    note: Callable[[str], None] = lambda _line: None
    saved: Callable[[Path], None] = lambda _folder: None
    evaluated: Callable[[int, Measured], None] = lambda _step, _measured: None
