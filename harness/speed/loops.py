"""How requests arrive: closed loops send the next batch when the last is done, open loops do not wait for anyone."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Protocol

import numpy as np

from backends.contract import Step, StreamRequest
from harness.speed.clock import Clock
from harness.speed.trials import Phase, Prompts, Trial
from harness.speed.workloads.workload import Point, Rule

SETTLING = 3
"""Warm-up trials that have to agree."""
LONGEST_SLEEP = 0.05


class Meter(Protocol):
    """Is told when measured trials begin and end, to read an energy counter there."""

    def begin(self) -> None:
        """The next trial begins."""
        ...

    def end(self, trial: int) -> None:
        """That trial has ended."""
        ...


def settled(seconds: Sequence[float], share: float) -> bool:
    """Whether the last three trials differ by at most `share` of their median."""
    last = list(seconds)[-SETTLING:]
    return len(last) == SETTLING and max(last) - min(last) <= share * median(last)


class Loop:
    """A feed that makes trials: warm-up batches until they settle, then what the subclass measures."""

    def __init__(self, point: Point, rule: Rule, prompts: Prompts, clock: Clock, meter: Meter) -> None:
        self.trials: list[Trial] = []
        self.has_settled = False
        """Whether the warm-up ended because trials agreed, and not because there were enough."""
        self.point, self.rule, self.clock = point, rule, clock
        self._prompts, self._meter = prompts, meter
        self._current: Trial | None = None
        self._left = 0

    @property
    def complete(self) -> bool:
        """Whether the running trial has all its tokens."""
        return self._current is not None and self._left <= 0

    @property
    def warmups(self) -> list[Trial]:
        """The warm-up trials; the first of them is the first call."""
        return [trial for trial in self.trials if trial.phase == "warmup"]

    @property
    def measured(self) -> list[Trial]:
        """The trials that count."""
        return [trial for trial in self.trials if trial.phase == "trial"]

    @property
    def is_warm(self) -> bool:
        """Whether the warm-up is over, by agreement or by number."""
        return self.has_settled or len(self.warmups) >= self.rule.warmup

    def record(self, step: Step) -> None:
        """Take in what the backend did. Cheap: it lies between two steps."""
        if self._current is not None:
            self._current.steps.append(step)
            self._left -= len(step.tokens)

    def finish(self) -> None:
        """The running trial, where there is one, is over: `complete`, or the backend idle before it was."""
        trial, self._current = self._current, None
        if trial is None:
            return
        self.trials.append(trial)
        if trial.phase == "trial":
            self._meter.end(trial.number)
        else:
            self.has_settled = self.has_settled or settled([t.seconds for t in self.warmups], self.rule.settled)

    def take(self, room: int, idle: bool) -> Sequence[StreamRequest] | None:
        """See `Feed`."""
        if self._current is not None and self._current.phase == "trial":
            arrived = self._more(room, idle)
            if arrived is not None:
                return arrived
        if not idle:
            return ()
        self.finish()
        return self._measure(room) if self._may_measure() else self._batch("warmup", self.point.batch or room)

    def _may_measure(self) -> bool:
        return self.is_warm

    def _batch(self, phase: Phase, size: int) -> Sequence[StreamRequest]:
        shape = self.point.shape
        requests = self._prompts.requests(len(self.trials), size, shape.input, shape.output)
        if phase == "trial":
            self._meter.begin()
        now = self.clock.now()
        times = {request.index: now for request in requests}
        self._current = Trial(len(self.trials), phase, requests, times, dict(times))
        self._left = size * shape.output
        return requests

    def _more(self, room: int, idle: bool) -> Sequence[StreamRequest] | None:
        """What else arrives in the running trial; None when that is over as soon as the backend is idle."""
        return None

    def _measure(self, room: int) -> Sequence[StreamRequest] | None:
        """The first requests of the next measured trial; None when there is enough."""
        raise NotImplementedError


class ClosedLoop(Loop):
    """Batches of one size, one after another.

    `partner`: the loop whose trials alternate with these. Neither measures before both are warm, nor ends before both have
    enough, so they stand trial beside trial.
    """

    partner: ClosedLoop | None = None

    @property
    def has_enough(self) -> bool:
        """Whether there are as many trials and seconds of them as the rule wants; also where the clock stands still or goes
        back, since waiting for seconds would not end then."""
        seconds = [trial.seconds for trial in self.measured]
        stopped = any(s <= 0 for s in seconds)
        return len(seconds) >= self.rule.trials and (stopped or sum(seconds) >= self.rule.seconds)

    def _may_measure(self) -> bool:
        return self.is_warm and (self.partner is None or self.partner.is_warm)

    def _measure(self, room: int) -> Sequence[StreamRequest] | None:
        if self.has_enough and (self.partner is None or self.partner.has_enough):
            return None
        return self._batch("trial", self.point.batch or 1)


class OpenLoop(Loop):
    """Poisson arrivals at a rate. A request counts from when it was due, however late the backend takes it: the times
    of those that wait behind a slow one are not left out (coordinated omission)."""

    def __init__(self, point: Point, rule: Rule, prompts: Prompts, clock: Clock, meter: Meter, seed: int = 0) -> None:
        super().__init__(point, rule, prompts, clock, meter)
        generator = np.random.default_rng([seed, 1])
        self._gaps = generator.exponential(1.0 / (point.rate or 1.0), rule.requests)
        self._waiting: list[StreamRequest] = []

    def _measure(self, room: int) -> Sequence[StreamRequest] | None:
        if self.measured:
            return None
        shape = self.point.shape
        requests = self._prompts.requests(len(self.trials), self.rule.requests, shape.input, shape.output)
        self._meter.begin()
        due = (self.clock.now() + np.cumsum(self._gaps)).tolist()
        self._current = Trial(
            len(self.trials),
            "trial",
            requests,
            {r.index: t for r, t in zip(requests, due, strict=True)},
            clustered=False,
        )
        self._left = len(requests) * shape.output
        self._waiting = list(requests)
        return self._more(room, idle=True)

    def _more(self, room: int, idle: bool) -> Sequence[StreamRequest] | None:
        trial = self._current
        if trial is None or not self._waiting:
            return None
        now = self.clock.now()
        while idle and trial.submitted[self._waiting[0].index] > now:
            self.clock.sleep(min(LONGEST_SLEEP, trial.submitted[self._waiting[0].index] - now))
            now = self.clock.now()
        arrived: list[StreamRequest] = []
        while self._waiting and len(arrived) < room and trial.submitted[self._waiting[0].index] <= now:
            arrived.append(self._waiting.pop(0))
            trial.started[arrived[-1].index] = now
        return arrived
