"""Opening a backend in a worker for each seat, all at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from backends.contract import Backend, Options
from backends.several.backend import SeveralBackend
from backends.several.seats import Seat, in_one_process
from backends.tokenizer import HfTokenizer
from backends.workers.backend import WorkerBackend
from backends.workers.opening import open_worker
from zoo.checkpoint.locate import Checkpoint

OWN = "own.py"
"""The engine file that serves any backend of minizoo."""


def open_several(name: str, checkpoint: Checkpoint, options: Options, seats: Sequence[Seat]) -> Backend:
    """The backend of that name in a process a seat; one seat's is the worker itself.

    Raises what `open_worker` raises for any of them, once all others are closed, and SeveralDevices for workers that would
    not give the same numbers.
    """
    tokenizer = HfTokenizer(checkpoint.folder)

    def opened(place: int) -> WorkerBackend:
        told = replace(in_one_process(options), device=seats[place].device, worker_command=options.worker_command)
        return open_worker(
            name,
            OWN,
            checkpoint,
            told,
            python=options.python or sys.executable,
            environment=seats[place].environment,
            tell=place == 0,
            tokenizer=tokenizer,
        )

    with ThreadPoolExecutor(len(seats), "opening") as openers:
        begun = [openers.submit(opened, place) for place in range(len(seats))]
    workers = [one.result() for one in begun if not one.exception()]
    if len(workers) < len(seats):
        _closed(workers)
        raise next(error for one in begun if (error := one.exception()))
    if len(workers) == 1:
        return workers[0]
    try:
        return SeveralBackend(workers)
    except BaseException:
        _closed(workers)
        raise


def _closed(workers: Sequence[WorkerBackend]) -> None:
    for worker in workers:
        worker.close()
