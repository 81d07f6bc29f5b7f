"""Which trial comes next: pure functions of the trials so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

from harness.speed.trials.trial import Phase, Trial
from harness.speed.workloads.workload import Rule

SETTLING = 3
"""Warm-up trials that have to agree."""


@dataclass(frozen=True)
class TrialsSoFar:
    """How far a point is, for whoever watches: of two models that of the slower one."""

    warmups: int
    most_warmups: int
    settled: bool
    trials: int
    expected: int
    """Measured trials that there will be, as it looks now."""
    phase: Phase | None
    """Of the next trial; None: there is none."""


def so_far(models: Sequence[Sequence[Trial]], rule: Rule, open_loop: bool = False) -> TrialsSoFar:
    """How far the trials of all models are."""
    fewest = min(models, key=lambda trials: len(measured_trials(trials)))
    seconds = [trial.seconds for trial in measured_trials(fewest)]
    by_time = math.ceil(rule.seconds / mean(seconds)) if seconds and mean(seconds) > 0 else 0
    return TrialsSoFar(
        warmups=max(len(warmup_trials(trials)) for trials in models),
        most_warmups=rule.warmup,
        settled=all(has_settled(trials, rule) for trials in models),
        trials=len(seconds),
        expected=1 if open_loop else max(rule.trials, by_time, len(seconds)),
        phase=next_phase(models, rule, open_loop),
    )


def next_phase(models: Sequence[Sequence[Trial]], rule: Rule, open_loop: bool = False) -> Phase | None:
    """What every model runs next, given the trials of each: a warm-up, a measured trial, or nothing more (None).

    No model is measured before all are warm, and no model ends before all have enough, so that their trials stand side by
    side in time.
    """
    if not all(is_warm(trials, rule) for trials in models):
        return "warmup"
    return None if all(has_enough(trials, rule, open_loop) for trials in models) else "trial"


def is_warm(trials: Sequence[Trial], rule: Rule) -> bool:
    """Whether the warm-up is over: its trials agreed, or there were `Rule.warmup` of them."""
    return has_settled(trials, rule) or len(warmup_trials(trials)) >= rule.warmup


def has_settled(trials: Sequence[Trial], rule: Rule) -> bool:
    """Whether three warm-up trials in a row differed by at most `Rule.settled` of their median."""
    seconds = [trial.seconds for trial in warmup_trials(trials)]
    windows = (seconds[at : at + SETTLING] for at in range(len(seconds) - SETTLING + 1))
    return any(max(window) - min(window) <= rule.settled * median(window) for window in windows)


def has_enough(trials: Sequence[Trial], rule: Rule, open_loop: bool = False) -> bool:
    """Whether there are as many measured trials, and seconds of them, as the rule wants; of an open loop one.

    Also where the clock stands still or goes back, since waiting for seconds would not end then.
    """
    seconds = [trial.seconds for trial in measured_trials(trials)]
    if open_loop:
        return bool(seconds)
    stopped = any(s <= 0 for s in seconds)
    return len(seconds) >= rule.trials and (stopped or sum(seconds) >= rule.seconds)


def warmup_trials(trials: Sequence[Trial]) -> list[Trial]:
    """The warm-up trials; the first of them is the first call."""
    return [trial for trial in trials if trial.phase == "warmup"]


def measured_trials(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that count."""
    return [trial for trial in trials if trial.phase == "trial"]
