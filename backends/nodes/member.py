"""One member of an evaluation over nodes, at the other end: a Ray actor that keeps a worker on its node's device."""

from __future__ import annotations

import os
import platform
import queue
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from backends.contract import OutOfMemory
from backends.nodes.cluster import load_ray
from backends.nodes.same_files import described, difference
from backends.several.opening import OWN
from backends.several.seats import environment_of
from backends.workers.launch import SERVED, Launch
from backends.workers.worker import Worker
from zoo.errors import EngineFailed, MinizooError, NodeUnfit, one_line


@dataclass(frozen=True)
class Opening:
    """What a member is opened with."""

    name: str
    """The backend's."""
    opening: Mapping[str, Any]
    """For the engine file: `folder` and `options`."""
    files: Mapping[str, str]
    """What the model's folder holds where the evaluation was begun (`same_files.described`)."""
    minizoo: str | None
    python: str | None
    """The interpreter of the engine; None: the node's own."""
    command: tuple[str, ...]
    threads: int
    """Of the CPU; 0: as many as the node has."""


class Member:
    """Called through Ray from several threads at a time. No method raises: errors are values, as the protocol has them."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._said: dict[int, queue.Queue[tuple[str, Any]]] = {}
        self._left: set[int] = set()

    def open(self, told: Opening) -> tuple[str, Any]:
        """What the engine says of itself, with the `host` and the `node` (Ray's id)."""

        def opened() -> dict[str, Any]:
            self._check(told)
            threads = told.threads or len(os.sched_getaffinity(0))
            folder = Path(told.opening["folder"])
            launch = Launch(
                told.name,
                SERVED / OWN,
                folder,
                told.python or sys.executable,
                environment_of(threads),
                told.command,
            )
            self._worker = Worker(launch, told.opening)
            return {**self._worker.described, **_place()}

        return _told(opened)

    def renew(self) -> tuple[str, Any]:
        """The model in a fresh process."""

        def renewed() -> dict[str, Any]:
            worker = self._living()
            worker.renew()
            return {**worker.described, **_place()}

        return _told(renewed)

    def begin(self, number: int, op: str, fields: Mapping[str, Any]) -> None:
        """Ask something; the answers are `take`n under its number."""
        said = self._said[number] = queue.Queue()

        def asked() -> None:
            def messages() -> None:
                for message in self._living().ask(op, **fields):
                    if number in self._left:
                        return
                    said.put(("message", message))

            ended = _told(messages)
            said.put(("done", None) if ended[0] == "value" else ended)

        threading.Thread(target=asked, daemon=True).start()

    def take(self, number: int, seconds: float) -> list[tuple[str, Any]]:
        """What has come since: at least one thing, unless there is none within so many seconds."""
        return list(self._taken(number, seconds))

    def leave(self, number: int) -> None:
        """Nobody takes the rest of that."""
        self._left.add(number)
        self._said.pop(number, None)

    def close(self) -> None:
        """End the worker, and see that its process is gone."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def pids(self) -> tuple[int, int | None]:
        """Of this process and of its worker's."""
        return os.getpid(), self._worker.pid if self._worker else None

    def _taken(self, number: int, seconds: float) -> Iterator[tuple[str, Any]]:
        said = self._said.get(number)
        if said is None:
            return
        try:
            yield said.get(timeout=seconds)
            while True:
                yield said.get_nowait()
        except queue.Empty:
            return

    def _living(self) -> Worker:
        if self._worker is None:
            raise NodeUnfit(f"The member on {platform.node()} has no worker.", "Open it again.")
        return self._worker

    def _check(self, told: Opening) -> None:
        """NodeUnfit where numbers from here would not be those of the one who asks."""
        here = minizoo_version()
        if here != told.minizoo:
            raise NodeUnfit(
                f"The node {platform.node()} has minizoo {here}, and the evaluation was begun by {told.minizoo}.",
                "Install one version on all nodes.",
            )
        folder = Path(told.opening["folder"])
        if other := difference(told.files, described(folder)):
            raise NodeUnfit(
                f"The node {platform.node()} does not see the model's folder as it is here: {folder}: {other}.",
                "Put the model on storage that all nodes share, under one path.",
            )


def minizoo_version() -> str | None:
    """The version that is installed here; None in a checkout that nobody installed."""
    try:
        return version("minizoo")
    except PackageNotFoundError:
        return None


def _place() -> dict[str, str]:
    ray: Any = load_ray()
    return {"host": platform.node(), "node": str(ray.get_runtime_context().get_node_id())}


def _told(call: Any) -> tuple[str, Any]:
    """The call's value, or its error as the protocol of workers has it (`backends.workers.faults.of_call` reads it)."""
    try:
        return "value", call()
    except MinizooError as error:
        return "error", {"kind": "told", "text": error.what, "code": error.code, "hint": error.hint}
    except OutOfMemory as error:
        return "error", {"kind": "memory", "text": str(error)}
    except ValueError as error:
        return "error", {"kind": "input", "text": str(error)}
    except Exception as error:  # what nobody foresaw is the engine's failure, and told as such
        text = f"{type(error).__name__}: {one_line(error)}"
        return "error", {"kind": "told", "text": text, "code": EngineFailed.code, "hint": ""}
