"""How a search goes on, while it does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from minizoo.display.distill.progress import TrainStep, told_of
from minizoo.display.progress import StepBar
from minizoo.output import note

if TYPE_CHECKING:
    from zoo.distill.train.metrics import StepMetrics
    from zoo.search.watcher import Watcher


class SearchProgress(StepBar):
    """Steps of a search."""

    def watcher(self) -> Watcher:
        """As a search tells it."""
        from zoo.search.watcher import Watcher

        return Watcher(self, note, self.trained, self.fetched)

    def trained(self, name: str, metrics: StepMetrics, steps: int) -> None:
        """A step of a candidate's training is over, of those to its next rung."""
        if name not in self._steps:
            begun, before = time.monotonic() - metrics.seconds, metrics.step - 1
            self._steps[name] = made = TrainStep(name, steps, "steps", begun, metrics.step, before)
            self._shown.begin(made)
        going = self._steps[name]
        if isinstance(going, TrainStep):
            going.words = told_of(metrics)
        self(name, metrics.step, steps)
