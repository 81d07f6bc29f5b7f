"""A worker on another node, asked through its Ray actor: the face of `backends.workers.worker.Worker`, at this end."""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from backends.nodes.member import Opening
from backends.workers.faults import of_call
from backends.workers.process import Stopped
from backends.workers.worker import patience
from zoo.errors import NodeUnfit, UnsupportedRequest, WorkerDied, WorkerGarbled, WorkerSilent, one_line

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""How long a member waits for something to tell before it says that there is nothing: so often a stop is noticed."""
ANSWER_SECONDS = 120.0
"""An actor that lives says at least that there is nothing; the worker behind it has a patience of its own."""
OPENING_SECONDS = 60.0
"""Beside the worker's patience, for the actor itself to start."""
KEPT = "What was answered is kept; the same command goes on from there."


class NodeWorker:
    """One member. Raises what a worker of this machine does; WorkerDied where its node or its actor is gone."""

    def __init__(self, ray: Any, actor: Any, told: Opening, node: str) -> None:
        """`node` is what it is called until it tells its host."""
        self.name = told.name
        self.host = node
        self._ray, self._actor = ray, actor
        self._stopped = threading.Event()
        self._numbers = itertools.count(1)
        self.described: dict[str, Any] = self._describe("open", told)

    def renew(self) -> None:
        """A fresh process on the same node. WorkerDied where the node is gone."""
        self.described = self._describe("renew")

    def ask(self, op: str, **fields: Any) -> Generator[dict[str, Any]]:
        """See `Asked`."""
        if self._stopped.is_set():
            raise Stopped
        number, finished = next(self._numbers), False
        self._call("begin", number, op, fields)
        try:
            while not finished:
                if self._stopped.is_set():
                    raise Stopped
                for kind, value in self._call("take", number, LOOK_SECONDS):
                    if kind == "message":
                        yield value
                        continue
                    finished = True
                    if kind == "error":
                        raise of_call(self.name, value)
        finally:
            if not finished:
                with contextlib.suppress(WorkerDied, WorkerSilent):
                    self._call("leave", number)

    def answers(self, op: str, requests: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """See `Asked`."""
        for message in self.ask(op, requests=list(requests)):
            if not isinstance(answer := message.get("answer"), dict):
                raise self.garbled("what should be an answer")
            yield answer

    def feed(self, requests: Sequence[Mapping[str, Any]] | None) -> None:
        """Refused: what speed is measured with is one device of one machine."""
        raise UnsupportedRequest(f"{self.name} on a node streams nothing.", "Measure speed on the machine itself.")

    def garbled(self, what: str) -> WorkerGarbled:
        """See `Asked`."""
        return WorkerGarbled(
            f"The worker of {self.name} on {self.host} sent {what} that is none.",
            "Its minizoo is another than this one.",
        )

    def stop(self) -> None:
        """See `Asked`."""
        self._stopped.set()

    def go_on(self) -> None:
        """See `Asked`."""
        self._stopped.clear()

    def close(self) -> None:
        """End the worker, its actor, and with them what they hold of the node."""
        with contextlib.suppress(Exception):  # whatever is wrong with it, it is to end
            self._ray.get(self._actor.close.remote(), timeout=20.0)
        with contextlib.suppress(Exception):
            self._ray.kill(self._actor)

    def pids(self) -> tuple[int, int | None]:
        """Of the actor and of its worker, on its node."""
        return self._call("pids")

    def _describe(self, method: str, *told: Any) -> dict[str, Any]:
        kind, value = self._call(method, *told, seconds=patience() + OPENING_SECONDS)
        if kind == "error":
            raise of_call(self.name, value)
        self.host = str(value["host"])
        return {**value, "device": value["device"], "stream": False}

    def _call(self, method: str, *words: Any, seconds: float = ANSWER_SECONDS) -> Any:
        """Have the actor do something, for at most so long; Stopped where `stop` comes first."""
        until = time.monotonic() + seconds
        try:
            asked = getattr(self._actor, method).remote(*words)
            while not self._ray.wait([asked], timeout=LOOK_SECONDS)[0]:
                if self._stopped.is_set() and method != "leave":
                    raise Stopped
                if time.monotonic() > until:
                    raise WorkerSilent(
                        f"The worker of {self.name} on {self.host} has not answered for {seconds:,.0f} s.", KEPT
                    )
            return self._ray.get(asked)
        except self._ray.exceptions.RayActorError as error:
            log.info("%s: %s", self.host, _why(error))
            raise WorkerDied(
                f"The worker of {self.name} on {self.host} is gone, with its node or alone.", KEPT
            ) from None
        except self._ray.exceptions.RayError as error:
            raise NodeUnfit(
                f"The node {self.host} cannot run a member of this evaluation ({_why(error)}).",
                "Install this minizoo there, in the Python that its Ray runs in.",
            ) from None


def _why(error: BaseException) -> str:
    """The first words of Ray's account, which goes on for pages."""
    return one_line(error).replace("\x1b[36m", "").replace("\x1b[39m", "")[:200].rstrip(" .")
