"""When a measurement ends before it is whole: its time is up, or the machine is so busy that it can only be invalid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.speed.probes.busy import OTHERS_BUSY, busy_seconds, is_busy, mean_busy, tells_of_others
from harness.speed.probes.probe import Sample
from harness.speed.trials.policy import measured_trials
from harness.speed.trials.trial import Trial
from harness.speed.workloads.workload import Rule

LOOK_S = 5.0
"""A machine counts as busy where others were at work in every sample of so many seconds: a shorter burst passes."""
AT_ONCE = 0.05
"""A sample that follows the one before within so many seconds tells of too short a time."""
SLACK = 1.5
"""By how much longer than it seems so far a measurement may take, before what is lost counts as lost."""


@dataclass(frozen=True)
class EarlyEnd:
    """Why a measurement ended early; `code` is that of the reason which the record states."""

    code: Literal["time-limit", "machine-busy"]
    text: str


@dataclass(frozen=True)
class Limits:
    """What ends a measurement early."""

    deadline: float | None = None
    """By the clock of the system under test: past it no trial begins. None: no end."""
    stop_if_busy: bool = False
    """Whether a machine that others keep busy ends it."""

    def time_up(self, now: float) -> EarlyEnd | None:
        """The end by time, where the deadline has passed."""
        up = self.deadline is not None and now >= self.deadline
        return EarlyEnd("time-limit", "the time limit was reached") if up else None


def looks(interval: float) -> int:
    """Samples that a look takes, an interval apart."""
    return max(1, math.ceil(LOOK_S / interval))


def busy_of_late(samples: Sequence[Sample], processors: object = None) -> EarlyEnd | None:
    """The end by a busy machine, where every sample of the last LOOK_S seconds tells of others at work."""
    told = [sample for before, sample in itertools.pairwise(samples) if _time(sample) - _time(before) > AT_ONCE]
    told = [sample for sample in told if tells_of_others(sample)]
    if not told:
        return None
    late = [sample for sample in told if _time(sample) > _time(told[-1]) - LOOK_S]
    whole = _time(late[-1]) - _time(samples[0]) >= LOOK_S * (1 - AT_ONCE)
    return _busy(late, processors) if whole and all(map(is_busy, late)) else None


def only_invalid(
    samples: Sequence[Sample], models: Sequence[Sequence[Trial]], rule: Rule, processors: object = None
) -> EarlyEnd | None:
    """The end by a busy machine, where the trials still to come cannot make it valid, however quiet they are.

    `samples` are those since the first measured trial. Others took so many processor-seconds already that, over all the time
    that the measurement will take, they are above what a valid one allows; or another process used the GPU.
    """
    if any(sample.get("other_processes") for sample in samples):
        return _busy(samples, processors)
    share = min((_share_done(trials, rule) for trials in models), default=0.0)
    taken, watched = busy_seconds(samples)
    if share <= 0 or taken <= OTHERS_BUSY * SLACK * watched / min(share, 1.0):
        return None
    return _busy(samples, processors)


def _time(sample: Sample) -> float:
    return float(sample.get("time_s") or 0)


def _share_done(trials: Sequence[Trial], rule: Rule) -> float:
    seconds = [trial.seconds for trial in measured_trials(trials)]
    return min(len(seconds) / rule.trials, sum(seconds) / rule.seconds if rule.seconds else 1.0)


def _busy(samples: Sequence[Sample], processors: object) -> EarlyEnd:
    on_gpu = max((int(sample.get("other_processes") or 0) for sample in samples), default=0)
    if on_gpu:
        return EarlyEnd("machine-busy", f"{on_gpu} other process{'es' if on_gpu > 1 else ''} on the GPU")
    mean = mean_busy(samples)
    return EarlyEnd("machine-busy", f"other processes kept {mean:.2f} of {processors or '?'} processors busy")
