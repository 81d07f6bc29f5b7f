"""A backend of several workers over the same model: the contract, with the work of each call divided."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from backends.contract import GenerateRequest, Generation, Score, ScoreRequest
from backends.several.dispatch import Dispatch
from backends.workers.backend import MOST_TOKENS, WorkerBackend
from backends.workers.sharing import chunks
from zoo.errors import EnvironmentIssue, SeveralDevices, WorkerDied

log = logging.getLogger(__name__)

SCORE_PARTS, TEXT_PARTS = 8, 2
"""Chunks of a call for each worker. Of scores many, so that all end together; of texts few, since they decode side by side."""
LEAST_TOKENS = 8192
"""Of a chunk of scores: below it what chunks compute twice is no longer little."""


class SeveralBackend:
    """Scores and generates on all its workers. It does not stream: what speed is measured with is one device."""

    def __init__(self, workers: Sequence[WorkerBackend]) -> None:
        """SeveralDevices where the workers would not give the same numbers."""
        first = workers[0]
        self._workers = list(workers)
        self.name = first.name
        self.device = first.device
        self.devices = tuple(worker.device for worker in workers)
        """Of each worker; `device` is the first's."""
        self.dtype, self.compute_dtype = first.dtype, first.compute_dtype
        self.versions: Mapping[str, str] = first.versions
        self.tokenizer = first.tokenizer
        self.shares_prefixes = first.shares_prefixes
        able = first.capabilities
        self.capabilities = type(able)(able.score, able.generate, stream=False, max_length=able.max_length)
        for worker in workers[1:]:
            if (different := _numbers_of(worker)) != _numbers_of(first):
                raise SeveralDevices(
                    f"{first.device} and {worker.device} would not give the same numbers: {_numbers_of(first)}, {different}.",
                    "Name devices of one kind, or a `--dtype`.",
                )

    @property
    def workers(self) -> Sequence[WorkerBackend]:
        """Those that live."""
        return tuple(self._workers)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """See `Backend`. What shares a beginning goes to one worker; RequestKills as in `WorkerBackend`."""
        self._checked(lambda worker: worker.check_scores(requests))
        return self._answered(requests, SCORE_PARTS, LEAST_TOKENS)

    def generate(self, requests: Sequence[GenerateRequest]) -> Iterator[Generation]:
        """See `Backend`."""
        self._checked(lambda worker: worker.check_texts(requests))
        return self._answered(requests, TEXT_PARTS, 1)

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.close()

    def _answered(self, requests: Sequence[Any], parts: int, least: int) -> Generator[Any]:
        if not requests:
            return
        divided = chunks(requests, MOST_TOKENS, parts * len(self._workers), least)
        dispatch = Dispatch(self._workers, requests, divided)
        try:
            yield from dispatch.answers()
        finally:
            for dead in [worker for worker in self._workers if worker not in dispatch.alive]:
                self._workers.remove(dead)
                dead.close()

    def _checked(self, check: Callable[[WorkerBackend], None]) -> None:
        """Have one worker check a call; those that turn out to be dead are left behind."""
        while self._workers:
            worker = self._workers[0]
            try:
                return check(worker)
            except EnvironmentIssue as error:
                self._workers.remove(worker)
                worker.close()
                if not self._workers:
                    raise
                log.warning("%s The work goes on without %s.", error, worker.place)
        raise WorkerDied(f"All workers of {self.name} have died.", "The same command starts them anew.")


def _numbers_of(worker: WorkerBackend) -> str:
    """What decides a worker's numbers, in words."""
    engine = ", ".join(f"{name} {text}" for name, text in sorted(worker.versions.items()))
    computed, context = worker.compute_dtype or worker.dtype, worker.capabilities.max_length
    return f"{worker.dtype} computed in {computed}, {context} tokens, {engine}"
