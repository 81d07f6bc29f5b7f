"""Teacher correction: the parent is fine-tuned on the distillation set, whose distribution it may never have seen.

arXiv 2408.11796: plain language modelling at a fifth of the parent's peak rate, 120 steps of warm-up, batch, least rate and
decay as in the distillation; before it or in parallel with it.
"""

from __future__ import annotations

from dataclasses import replace

from zoo.distill.recipes import steps_of
from zoo.distill.request import CORRECTION_WARM_UP, Correction
from zoo.distill.settings import TrainSettings

LONGEST_WARM_UP = 0.2
"""Of the correction's steps, where 120 would be more: a choice for short runs, of which the paper has none."""


def correction_settings(train: TrainSettings, correction: Correction) -> TrainSettings:
    """The steps of a correction: those of the distillation with the correction's tokens, rate and warm-up."""
    steps = steps_of(correction.tokens, train.batch, train.length)
    return replace(
        train,
        steps=steps,
        micro=correction.micro or train.micro,
        rate=correction.rate,
        least_rate=min(train.least_rate, correction.rate),
        warm_up=min(CORRECTION_WARM_UP, round(LONGEST_WARM_UP * steps)),
        eval_every=0,
    )
