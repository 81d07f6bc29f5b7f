"""How requests arrive: closed loops send the next batch when the last is done, open loops do not wait for anyone."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Protocol

import numpy as np

from backends.contract import Step, StreamRequest
from harness.speed.clock import Clock
from harness.speed.trials import Phase, Prompts, Trial
from harness.speed.workloads import Point, Rule

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
    def has_settled(self) -> bool:
        """Whether the warm-up ended because trials agreed, and not because there were enough."""
        return settled([t.seconds for t in self.warmups], self.rule.settled)

    def record(self, step: Step) -> None:
        """Take in what the backend did. Cheap: it lies between two steps."""
        if self._current is not None:
            self._current.steps.append(step)
            self._left -= len(step.tokens)

    def take(self, room: int, idle: bool) -> Sequence[StreamRequest] | None:
        """See `Feed`."""
        if self._current is not None and self._current.phase == "trial":
            arrived = self._more(room, idle)
            if arrived is not None:
                return arrived
        if not idle:
            return ()
        self._finish()
        if len(self.warmups) >= self.rule.warmup or self.has_settled:
            return self._measure(room)
        return self._batch("warmup", self.point.batch or 1)

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

    def _finish(self) -> None:
        if self._current is not None:
            self.trials.append(self._current)
            if self._current.phase == "trial":
                self._meter.end(self._current.number)
        self._current = None

    def _more(self, room: int, idle: bool) -> Sequence[StreamRequest] | None:
        """What else arrives in the running trial; None when that is over as soon as the backend is idle."""
        return None

    def _measure(self, room: int) -> Sequence[StreamRequest] | None:
        """The first requests of the next measured trial; None when there is enough."""
        raise NotImplementedError


class ClosedLoop(Loop):
    """Batches of one size, one after another. `partner`, where trials are interleaved, is the loop to go on with."""

    partner: ClosedLoop | None = None

    @property
    def has_enough(self) -> bool:
        """Whether there are as many trials and seconds of them as the rule wants."""
        done = self.measured
        return len(done) >= self.rule.trials and sum(trial.seconds for trial in done) >= self.rule.seconds

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
