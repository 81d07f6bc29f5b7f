"""One engine in a worker: opened, asked, and opened anew where its process broke. Values of the protocol in and out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from backends.workers.faults import of_call, of_opening
from backends.workers.launch import Launch
from backends.workers.process import Stopped, WorkerProcess
from zoo.errors import InvalidOption, WorkerDied, WorkerGarbled, WorkerSilent

SECONDS = 1800.0
"""What a worker may take to open its model, or for the next answer: long, since a row of a large model on a CPU is slow."""
SECONDS_VARIABLE = "MINIZOO_WORKER_SECONDS"


class Worker:
    """Keeps one process at a time. Raises what `process` and `faults` do; after such a break `renew` makes a fresh one."""

    def __init__(self, launch: Launch, opening: Mapping[str, Any]) -> None:
        """`opening` is what the engine is opened with: `folder`, `options`."""
        self.launch = launch
        self.name = launch.name
        self._opening = {"op": "open", **opening, "environment": dict(launch.environment)}
        self._seconds = patience()
        self._calls = 0
        self._process: WorkerProcess | None = None
        self._stopped = False
        self.described: dict[str, Any] = self._opened()

    @property
    def pid(self) -> int | None:
        """Of the process; None where there is none."""
        return self._process.pid if self._process else None

    def renew(self) -> None:
        """End the process and open the model in a fresh one; raises as opening does."""
        self.kill()
        self.described = self._opened()

    def ask(self, op: str, **fields: Any) -> Generator[dict[str, Any]]:
        """Say one thing and yield the messages that answer it. One that is left early is cancelled in the worker."""
        process = self._living()
        self._calls += 1
        number, finished = self._calls, False
        try:
            process.send({"op": op, "id": number, **fields})
            while True:
                message = process.receive(self._seconds)
                if message.get("id") not in (number, None):
                    continue  # of a call that was left
                if "error" in message:
                    finished = True
                    raise of_call(self.launch.name, message["error"])
                if message.get("done"):
                    finished = True
                    return
                yield message
        finally:
            if not finished:
                with contextlib.suppress(WorkerDied, WorkerSilent):
                    process.send({"op": "cancel", "id": number})

    def answers(self, op: str, requests: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """The answers to requests, each as it comes."""
        for message in self.ask(op, requests=list(requests)):
            if not isinstance(answer := message.get("answer"), dict):
                raise self.garbled("what should be an answer")
            yield answer

    def feed(self, requests: Sequence[Mapping[str, Any]] | None) -> None:
        """Give the stream that runs what it asked for."""
        given = None if requests is None else list(requests)
        self._living().send({"op": "feed", "id": self._calls, "requests": given})

    def garbled(self, what: str) -> WorkerGarbled:
        """The error for a message whose content is none."""
        return WorkerGarbled(
            f"The worker of {self.launch.name} sent {what} that is none.{self._living().last_words()}",
            "Its engine file is not of this minizoo, or something else writes to its socket.",
        )

    def stop(self) -> None:
        """Make whoever waits for this worker raise Stopped; called by another thread. Nothing is asked of it any more."""
        self._stopped = True
        if self._process is not None:
            self._process.stopping.set()

    def go_on(self) -> None:
        """After `stop`: take questions again."""
        self._stopped = False
        if self._process is not None:
            self._process.stopping.clear()

    def close(self) -> None:
        """Let the engine close, and see that its process is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def kill(self) -> None:
        """End the process at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def _living(self) -> WorkerProcess:
        if self._stopped:
            raise Stopped
        if self._process is None:
            raise WorkerDied(f"The worker of {self.launch.name} is closed.", "Open it again.")
        return self._process

    def _opened(self) -> dict[str, Any]:
        """Start a process and open the model in it; what it says of itself."""
        process = WorkerProcess(self.launch, self._seconds)
        self._process = process
        try:
            if self._stopped:
                process.stopping.set()
            process.send(self._opening)
            message = process.receive(self._seconds)
            if "error" in message:
                raise of_opening(self.launch.name, message["error"], process.last_words())
            described = message.get("opened")
            if not isinstance(described, dict):
                raise self.garbled("a description of its engine")
        except BaseException as error:
            self.kill()
            if isinstance(error, WorkerDied):
                raise _at_start(error) from None
            raise
        return described


def patience() -> float:
    """Seconds that a worker may be silent: $MINIZOO_WORKER_SECONDS, else SECONDS. InvalidOption for what is no time."""
    told = os.environ.get(SECONDS_VARIABLE)
    if told is None:
        return SECONDS
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(told)) < 1e9:
            return seconds
    raise InvalidOption(f"{SECONDS_VARIABLE} is {told!r}, which is no number of seconds.", "Set it to e.g. 600.")


def _at_start(error: WorkerDied) -> WorkerDied:
    """The same, for a worker that answered nothing yet."""
    return WorkerDied(
        error.what.replace(". It last printed", " while it loaded the model. It last printed", 1)
        if ". It last printed" in error.what
        else f"{error.what.rstrip('.')} while it loaded the model.",
        "If it was killed by SIGKILL, memory was short: take a smaller `--dtype`, or a larger machine.",
    )
