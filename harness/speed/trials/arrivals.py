"""How the requests of one trial arrive: a closed batch all at once, Poisson arrivals each when it is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from backends.contract import StreamRequest
from harness.speed.clock import Clock

LONGEST_SLEEP = 0.05


class Arrivals(Protocol):
    """The requests of one trial. The times are by request index, in seconds of the clock."""

    requests: Sequence[StreamRequest]
    clustered: bool
    """Whether they run as one batch."""

    @property
    def submitted(self) -> Mapping[int, float]:
        """When each request was due."""
        ...

    @property
    def started(self) -> Mapping[int, float]:
        """When the backend took each request that it has taken."""
        ...

    def take(self, room: int, idle: bool) -> Sequence[StreamRequest] | None:
        """See `backends.contract.Feed`; None once all were taken and the backend is idle."""
        ...


class ClosedBatch:
    """All requests at once, submitted when the idle backend asks for them."""

    clustered = True

    def __init__(self, requests: Sequence[StreamRequest], clock: Clock) -> None:
        self.requests, self._clock = requests, clock
        self.submitted = self._all_now()
        self.started: dict[int, float] = {}

    def take(self, room: int, idle: bool) -> Sequence[StreamRequest] | None:
        """See `Arrivals`."""
        if not idle:
            return ()
        if self.started:
            return None
        self.submitted = self._all_now()
        self.started = dict(self.submitted)
        return self.requests

    def _all_now(self) -> dict[int, float]:
        return dict.fromkeys((request.index for request in self.requests), self._clock.now())


class PoissonArrivals:
    """Exponential gaps by seed, from now on. A request counts from when it was due, however late the backend takes it: the
    times of those that wait behind a slow one are not left out (coordinated omission)."""

    clustered = False

    def __init__(self, requests: Sequence[StreamRequest], per_second: float, seed: int, clock: Clock) -> None:
        gaps = np.random.default_rng([seed, 1]).exponential(1.0 / per_second, len(requests))
        due = (clock.now() + np.cumsum(gaps)).tolist()
        self.requests, self._clock = requests, clock
        self.submitted: dict[int, float] = {r.index: at for r, at in zip(requests, due, strict=True)}
        self.started: dict[int, float] = {}
        self._waiting = list(requests)

    def take(self, room: int, idle: bool) -> Sequence[StreamRequest] | None:
        """See `Arrivals`. Sleeps until the next request is due where the backend is idle."""
        if not self._waiting:
            return None if idle else ()
        now = self._clock.now()
        while idle and (due := self.submitted[self._waiting[0].index]) > now:
            self._clock.sleep(min(LONGEST_SLEEP, due - now))
            now = self._clock.now()
        arrived: list[StreamRequest] = []
        while self._waiting and len(arrived) < room and self.submitted[self._waiting[0].index] <= now:
            arrived.append(self._waiting.pop(0))
            self.started[arrived[-1].index] = now
        return arrived
