"""The learning rate of a step."""

from __future__ import annotations

import math

from zoo.distill.settings import TrainSettings


def rate_at(step: int, settings: TrainSettings) -> float:
    """The rate of a step, counted from 0: a line up to the peak over the warm-up, then a cosine down to the least rate.

    The last step of the warm-up has the peak, the last of the run the least rate. A constant schedule stays at the peak.

    >>> settings = TrainSettings(steps=5, batch=1, length=8, rate=1.0, least_rate=0.5, warm_up=2)
    >>> [round(rate_at(step, settings), 3) for step in range(5)]
    [0.5, 1.0, 0.875, 0.625, 0.5]
    """
    if step < settings.warm_up:
        return settings.rate * (step + 1) / settings.warm_up
    if settings.schedule == "constant":
        return settings.rate
    falling = max(1, settings.steps - settings.warm_up)
    share = min(1.0, (step + 1 - settings.warm_up) / falling)
    return settings.least_rate + (settings.rate - settings.least_rate) * (1 + math.cos(math.pi * share)) / 2
