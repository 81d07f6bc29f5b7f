"""Every request answered, whatever becomes of workers: what a crash cut off is asked again, and killers are found.

What was in flight when a worker broke is asked once more, whole, in a fresh one. Where that breaks too before another answer,
it is asked in halves until a request stands alone; one that breaks a worker alone is left out, and named at the end.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from backends.contract import Generation, Score
from backends.workers.face import Asked
from zoo.errors import (
    EngineFailed,
    MinizooError,
    RequestKills,
    WorkerDied,
    WorkerGarbled,
    WorkerSilent,
    one_line,
)

log = logging.getLogger(__name__)

MOST_KILLERS = 3
"""Requests that may each end a worker alone before the rest is given up."""
MOST_BREAKS = 24
"""Fresh workers of one call: enough to find three killers among thousands."""
A_HANG = 8
"""Breaks that a worker which hangs counts as: each costs the whole time of waiting."""
BROKE = (EngineFailed, WorkerDied, WorkerGarbled, WorkerSilent)

A = TypeVar("A", bound=Score | Generation)


@dataclass(frozen=True)
class _Group:
    """Requests that are asked together; `again` where they were in flight when a worker broke."""

    places: Sequence[int]
    again: bool = False


class Answering(Iterator[A]):
    """The answers to `requests`, asked group by group (`places`), each as it comes; RequestKills at the end for killers.

    Raises the break itself where there are too many, and what a fresh worker raises that cannot be opened.
    """

    def __init__(
        self,
        worker: Asked,
        op: str,
        requests: Sequence[Mapping[str, Any]],
        groups: Sequence[Sequence[int]],
        read: Callable[[Mapping[str, Any]], A],
        name_of: Callable[[int], str],
    ) -> None:
        self._worker, self._op, self._requests, self._read, self._name_of = worker, op, requests, read, name_of
        self._waiting = deque(_Group(places) for places in groups if places)
        self._breaks = 0
        self._killers: list[tuple[int, MinizooError]] = []
        self.left = dict.fromkeys(place for places in groups for place in places)
        """Requests without an answer so far."""
        self._given = self._all()

    def __next__(self) -> A:
        return next(self._given)

    @property
    def given_up(self) -> int:
        """Requests without an answer that are no killers."""
        return len(self.left) - len(self._killers)

    def close(self) -> None:
        """Leave what is not answered; the worker is told."""
        self._given.close()

    def _all(self) -> Generator[A]:
        while self._waiting:
            group = self._waiting.popleft()
            left = dict.fromkeys(group.places)
            try:
                for answer in self._asked(left):
                    del left[answer.index], self.left[answer.index]
                    yield answer
                if left:
                    raise EngineFailed(
                        f"The engine of the {self._worker.name} worker left {len(left):,} requests without an answer.",
                        "Report it.",
                    )
            except BROKE as error:
                self._broken(error, group, list(left))
        if self._killers:
            raise self._named()

    def _asked(self, left: Mapping[int, None]) -> Iterator[A]:
        """Ask what is left of a group; an answer that is none, or was not asked, is WorkerGarbled."""
        for told in self._worker.answers(self._op, [self._requests[place] for place in left]):
            try:
                answer = self._read(told)
            except (KeyError, TypeError, ValueError):
                raise self._worker.garbled("an answer") from None
            if answer.index not in left:
                raise self._worker.garbled(f"an answer to request {answer.index}, which was not asked or is answered:")
            yield answer

    def _broken(self, error: MinizooError, group: _Group, left: Sequence[int]) -> None:
        """Put what is left back, as the rule says, and open a fresh worker."""
        self._breaks += A_HANG if isinstance(error, WorkerSilent) else 1
        alone = group.again and len(left) == len(group.places) == 1
        if alone:
            self._killers.append((left[0], error))
        elif left:
            self._waiting.extendleft(reversed(_parts(group, left)))
        if len(self._killers) >= MOST_KILLERS and self.given_up:
            raise self._named()
        if self._breaks >= MOST_BREAKS:
            raise error
        if self._waiting or not alone:
            log.warning(
                "%s %s in flight: asked again in a fresh worker.",
                error.what,
                f"{len(left):,} request{'s' * (len(left) != 1)}",
            )
        self._worker.renew()

    def _named(self) -> RequestKills:
        """The error for the killers; whether the rest is answered depends on how many they are."""
        many = len(self._killers) > 1
        named = "; ".join(f"{self._name_of(place)} ({one_line(error)[:200]})" for place, error in self._killers)
        rest = f"{self.given_up:,} others were not tried any more" if self.given_up else "All others are answered"
        return RequestKills(
            f"{len(self._killers)} request{'s' * many} of {len(self._requests):,} {'end' if many else 'ends'} the worker of "
            f"{self._worker.name}, each alone in a fresh one: {named}.",
            f"{rest}, and what is answered is kept. Take another `--backend` or `--dtype`, and report it to the engine.",
        )


def _parts(group: _Group, left: Sequence[int]) -> list[_Group]:
    """How to ask again for what a break left: whole where it was the first, or some were answered since; else in halves."""
    if not group.again or len(left) < len(group.places) or len(left) == 1:
        return [_Group(left, True)]
    half = len(left) // 2
    return [_Group(left[:half], True), _Group(left[half:], True)]
