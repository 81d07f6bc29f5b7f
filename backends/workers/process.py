"""One worker's process and its socket: started, spoken to, ended. Knows no requests."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from backends.workers.launch import Launch, started
from backends.workers.served import wire
from zoo.errors import InterpreterUnfit, WorkerDied, WorkerGarbled, WorkerSilent

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
"""How often a waiting parent looks whether the process is still there."""
CLOSE_SECONDS = 10.0
"""What a worker is given to close its engine before it is killed."""
LONGEST_ADDRESS = 100
"""Of a Unix socket Linux takes 107 bytes."""
LAST_LINES, LAST_BYTES = 4, 8192
"""Of what a worker printed, in an error."""


class Stopped(Exception):
    """Somebody else told the one who waits for this worker to stop."""


class WorkerProcess:
    """A worker from its start to its end. `stopping` is set by another thread to end a wait."""

    def __init__(self, launch: Launch, seconds: float) -> None:
        """Start it and wait at most `seconds` until it connects. InterpreterUnfit where it ends before, else WorkerSilent."""
        self.stopping = threading.Event()
        self._name = launch.name
        self._folder = _private_folder()
        self._log = self._folder / "log"
        self._channel: wire.Channel | None = None
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(self._folder / "socket"))
            listener.listen(1)
            with self._log.open("wb") as printed:
                self._process = started(launch, self._folder, printed)
            self._channel = wire.Channel(self._connected(listener, seconds))
        except BaseException:
            self.kill()
            raise
        finally:
            listener.close()

    @property
    def pid(self) -> int:
        """Of the process that was started: the worker's, or its container's."""
        return self._process.pid

    def send(self, message: dict[str, Any]) -> None:
        """Say something; WorkerDied where nobody listens, WorkerSilent where it is not read."""
        try:
            self._open_channel().send(message)
        except BlockingIOError:
            raise self._silent("has not read what it was sent") from None
        except OSError:
            raise self._died() from None

    def receive(self, seconds: float) -> dict[str, Any]:
        """Its next message. WorkerDied, WorkerSilent after `seconds`, WorkerGarbled; Stopped where `stopping` was set."""
        until = time.monotonic() + seconds
        while True:
            ended = self._process.poll() is not None  # looked at first: what it sent before its end is still read
            try:
                message = self._open_channel().receive(0.0 if ended else LOOK_SECONDS)
            except TimeoutError:
                message = None
                if not ended:
                    if self.stopping.is_set():
                        raise Stopped from None
                    if time.monotonic() > until:
                        raise self._silent(f"has said nothing for {seconds:,.0f} s") from None
                    continue
            except wire.Garbled as garbled:
                raise self._garbled(str(garbled)) from None
            if message is None:
                raise self._died()
            if message.get("schema") != wire.SCHEMA:
                raise self._garbled(f"a message of schema {message.get('schema')!r}, not {wire.SCHEMA}")
            return message

    def end(self) -> None:
        """Let it close its engine, then see that it and all that it started are gone."""
        with contextlib.suppress(WorkerDied, WorkerSilent):
            self.send({"op": "close"})
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(CLOSE_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it at once, with its whole process group, and remove its folder. May be called twice."""
        process = getattr(self, "_process", None)
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(CLOSE_SECONDS)
        if self._channel is not None:
            self._channel.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def last_words(self) -> str:
        """The last lines that it printed, as the end of a sentence; nothing where it printed nothing."""
        lines = [line for line in map(_plain, self._printed().splitlines()) if line]
        for line in lines:
            log.info("the worker of %s printed: %s", self._name, line)
        return f" It last printed: {' / '.join(line[:200] for line in lines[-LAST_LINES:])}" if lines else ""

    def _printed(self) -> str:
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - LAST_BYTES))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def _connected(self, listener: socket.socket, seconds: float) -> socket.socket:
        until = time.monotonic() + seconds
        listener.settimeout(LOOK_SECONDS)
        while True:
            ended = self._process.poll()
            try:
                connected, _ = listener.accept()
            except TimeoutError:
                if ended is not None:
                    raise InterpreterUnfit(
                        f"The worker of {self._name} {_how(ended)} before it connected.{self.last_words()}",
                        "Check that `--python` is a Python of 3.10 or newer, and that `--worker-command` lets the socket's "
                        "folder through (docs/devices.md).",
                    ) from None
                if time.monotonic() > until:
                    raise self._silent(f"did not connect within {seconds:,.0f} s") from None
                continue
            connected.setblocking(True)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(seconds) + 1, 0))
            return connected

    def _open_channel(self) -> wire.Channel:
        if self._channel is None:
            raise self._died()
        return self._channel

    def _died(self) -> WorkerDied:
        try:
            code = self._process.wait(1.0)  # its socket closes a moment before it is gone
        except subprocess.TimeoutExpired:
            code = None
        return WorkerDied(f"The worker of {self._name} {_how(code)}.{self.last_words()}", KEPT)

    def _silent(self, what: str) -> WorkerSilent:
        return WorkerSilent(
            f"The worker of {self._name} {what}, and is taken to hang.{self.last_words()}",
            f"{KEPT} Where it only is slow, MINIZOO_WORKER_SECONDS gives it longer.",
        )

    def _garbled(self, what: str) -> WorkerGarbled:
        return WorkerGarbled(
            f"The worker of {self._name} sent what is no message of its protocol: {_plain(what)}.{self.last_words()}",
            f"{KEPT} Something beside the worker writes to its socket, or its files are of another minizoo.",
        )


KEPT = "What was answered is kept; the same command goes on from there."


def _private_folder() -> Path:
    """A new folder that only this user enters, at an address that is short enough for a socket."""
    made = Path(tempfile.mkdtemp(prefix="minizoo-worker-"))
    if len(os.fsencode(made)) + len("/socket") <= LONGEST_ADDRESS:
        return made
    made.rmdir()
    return Path(tempfile.mkdtemp(prefix="minizoo-worker-", dir="/tmp"))


def _how(code: int | None) -> str:
    if code is None:
        return "closed its socket"
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _plain(text: str) -> str:
    """Text for a terminal, whatever an engine printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
