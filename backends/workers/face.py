"""What a backend over a worker needs of it, wherever its process is: on this machine, or on another."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, Protocol

from zoo.errors import WorkerGarbled


class Asked(Protocol):
    """One engine in a process, asked in values of the protocol. `backends.workers.worker.Worker` is the one of this machine."""

    name: str
    """The backend's, for messages."""
    described: dict[str, Any]
    """What the engine says of itself."""

    def renew(self) -> None:
        """End the process and open the model in a fresh one; raises as opening does."""
        ...

    def ask(self, op: str, **fields: Any) -> Generator[dict[str, Any]]:
        """Say one thing and yield the messages that answer it. One that is left early is cancelled in the worker."""
        ...

    def answers(self, op: str, requests: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """The answers to requests, each as it comes."""
        ...

    def feed(self, requests: Sequence[Mapping[str, Any]] | None) -> None:
        """Give the stream that runs what it asked for."""
        ...

    def garbled(self, what: str) -> WorkerGarbled:
        """The error for a message whose content is none."""
        ...

    def stop(self) -> None:
        """Make whoever waits for this worker raise Stopped; called by another thread."""
        ...

    def go_on(self) -> None:
        """After `stop`: take questions again."""
        ...

    def close(self) -> None:
        """Let the engine close, and see that its process is gone."""
        ...
