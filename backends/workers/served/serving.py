"""The worker's main program: `python serving.py --socket PATH --engine FILE`. Loads an engine file and answers for it.

Uses the standard library alone, so that it runs in an interpreter with nothing but the engine in it. What the engine prints
goes to stdout and stderr, which are the parent's log and no part of the protocol (`wire`).

An engine file defines `class Engine` with `__init__(folder, options)`, `described`, `score`, `generate`, `stream`,
`peak_memory` and `close`; `docs/writing-a-backend.md` says what each takes and gives. It may define `check(requests)`, which
raises `wire.Refused` for generate requests whose settings it does not follow, before any is run. It is loaded by path, and
finds its siblings by plain name (`import wire`).
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import wire

PR_SET_PDEATHSIG = 1
DIED_WITH_PARENT, ENGINE_BROKE = 3, 4
"""Exit codes of a worker whose parent went, and of one whose engine raised what nobody foresaw."""


def main() -> None:
    """Connect, open, answer until `close` or until the parent is gone."""
    words = argparse.ArgumentParser(description="A worker of minizoo.")
    words.add_argument("--socket", required=True)
    words.add_argument("--engine", required=True)
    given = words.parse_args()
    die_with_parent(signal.SIGKILL)
    guard_group()
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected.connect(given.socket)
    worker = Worker(wire.Channel(connected), given.engine)
    threading.Thread(target=worker.listen, daemon=True).start()
    sys.exit(worker.run())


def die_with_parent(signal_number: int) -> None:
    """Ask Linux to send this process a signal when its parent ends; elsewhere the end of the socket alone tells."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)


def guard_group() -> None:
    """Leave a small process that ends the whole group once this one has ended, however: engines start processes of their own,
    and one that is killed cannot end them. Not in a container, which ends with what is in it."""
    worker = os.getpid()
    if sys.platform != "linux" or os.getpgrp() != worker or worker == 1 or os.fork():
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    die_with_parent(signal.SIGTERM)
    if os.getppid() == worker:
        signal.sigwait({signal.SIGTERM})
    os.killpg(0, signal.SIGKILL)


class Worker:
    """An engine behind the socket. One thread listens, so that the parent's end is seen while the engine computes."""

    def __init__(self, channel: wire.Channel, engine_file: str) -> None:
        self._channel = channel
        self._file = engine_file
        self._engine: Any = None
        self._waiting: queue.Queue[dict[str, Any]] = queue.Queue()
        self._fed: queue.Queue[dict[str, Any]] = queue.Queue()
        self._cancelled: set[int] = set()

    def listen(self) -> None:
        """Sort what comes; end the process and all that it started where the parent is gone or says what is no message."""
        try:
            while (message := self._channel.receive()) is not None:
                if message.get("op") == "cancel":
                    self._cancelled.add(message["id"])
                    self._fed.put({"id": message["id"], "requests": None})
                elif message.get("op") == "feed":
                    self._fed.put(message)
                else:
                    self._waiting.put(message)
        except Exception as error:  # whatever it is, nobody can be answered any more
            print(f"worker: {error}", file=sys.stderr, flush=True)
        end_group(DIED_WITH_PARENT)

    def run(self) -> int:
        """Answer message by message; the exit code."""
        while True:
            message = self._waiting.get()
            if message["op"] == "close":
                if self._engine is not None:
                    self._engine.close()
                return 0
            try:
                for answer in self._answers(message):
                    self._say({"id": message.get("id"), **answer})
            except wire.Refused as refused:
                self._error(message, refused.kind, refused.text, **refused.more)
            except Exception as error:
                kind = kind_of(error)
                self._error(message, kind, f"{type(error).__name__}: {' '.join(str(error).split())[:600]}")
                if kind == "engine":  # what state it is in nobody knows: a fresh one goes on
                    raise

    def _answers(self, message: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What one message is answered with, its number left out."""
        op = message["op"]
        if op == "open":
            os.environ.update(message.get("environment") or {})
            self._engine = load_engine(self._file)(message["folder"], message["options"])
            yield {"opened": self._engine.described}
            return
        if op == "check":
            check = getattr(self._engine, "check", None)
            if check is not None:
                check(message["requests"])
        elif op == "stream":
            yield from self._streamed(message)
        elif op == "peak_memory":
            yield {"answer": {"bytes": self._engine.peak_memory(message["reset"])}}
        else:
            yield from self._until_cancelled(message, "answer", getattr(self._engine, op)(message["requests"]))
        yield {"done": True}

    def _streamed(self, message: dict[str, Any]) -> Iterator[dict[str, Any]]:
        number = message["id"]

        def take(room: int, idle: bool) -> list[dict[str, Any]] | None:
            if number in self._cancelled:
                return None
            self._say({"id": number, "take": {"room": room, "idle": idle}})
            while (fed := self._fed.get())["id"] != number:
                pass  # of a stream that was cancelled
            return fed["requests"]

        yield from self._until_cancelled(message, "step", self._engine.stream(take, message["room"], message["length"]))

    def _until_cancelled(self, message: dict[str, Any], word: str, values: Iterator[Any]) -> Iterator[dict[str, Any]]:
        if message["id"] in self._cancelled:
            return
        for value in values:
            yield {word: value}
            if message["id"] in self._cancelled:
                close = getattr(values, "close", None)
                if close is not None:
                    close()
                return

    def _say(self, message: dict[str, Any]) -> None:
        self._channel.send({"schema": wire.SCHEMA, **message})

    def _error(self, message: dict[str, Any], kind: str, text: str, **more: Any) -> None:
        self._say({"id": message.get("id"), "error": {"kind": kind, "text": text, **more}})


def load_engine(file: str) -> Any:
    """The class `Engine` of an engine file."""
    sys.path.insert(0, str(Path(file).parent))
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    if spec is None or spec.loader is None:
        raise wire.Refused("engine", f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses and pickles of the engine look for it
    spec.loader.exec_module(module)
    return module.Engine


def kind_of(error: Exception) -> str:
    """What kind of error an engine's own exception is."""
    if isinstance(error, ModuleNotFoundError):
        return "missing"
    memory = isinstance(error, MemoryError) or "out of memory" in str(error).lower()
    return "memory" if memory else "engine"


def end_group(code: int) -> None:
    """End this process and, where it leads a group of its own, all that it started."""
    if os.getpgrp() == os.getpid() and os.getpid() != 1:
        os.killpg(0, signal.SIGKILL)
    os._exit(code)


if __name__ == "__main__":
    main()
