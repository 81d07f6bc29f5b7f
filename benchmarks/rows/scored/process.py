"""An engine in a process of its own, asked line by line: its memory is its own, and what breaks it breaks nothing else."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any, Literal, Protocol, Self

from benchmarks.rows.process import ROOT, environment
from zoo.errors import BackendBroke

ENGINE = ROOT / "benchmarks" / "score_engine.py"
SHOWN = 2000
"""Characters of a broken engine's stderr that are passed on."""

Job = dict[str, Any]
FailedStatus = Literal["failed", "infra_failed"]


class EngineFailed(Exception):
    """An engine has no answer: what a record says of it (status, cause's code, words), and what to do next."""

    def __init__(self, code: str, text: str, hint: str = "", status: FailedStatus = "failed") -> None:
        super().__init__(text)
        self.status: FailedStatus = status
        self.code = code
        self.text = text
        self.hint = hint


class Engine(Protocol):
    """Something that answers jobs until its block ends."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def ask(self, **more: Any) -> dict[str, Any]:
        """What the engine measures of the job with these parts added; raises EngineFailed."""
        ...


Start = Callable[[Job], Engine]
"""Starts the engine of a job."""


class EngineProcess:
    """The engine of a job as a process, which ends with its block."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the block)
        self._process = subprocess.Popen(
            [sys.executable, "-P", ENGINE],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            env=environment(),
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the process, whatever it is doing."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(OSError):  # what was written last may have found no reader
                pipe.close()  # type: ignore[union-attr]

    def ask(self, **more: Any) -> dict[str, Any]:
        """What the engine measures of the job with these parts added; raises EngineFailed."""
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):  # it is gone: nothing will be read either
            self._process.stdin.write(json.dumps({**self._job, **more}) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        told = json.loads(line) if line.endswith("\n") else {}
        if told and "failed" not in told:
            return told
        failure = EngineFailed(**told["failed"]) if told else self._gone()
        if failure.status == "infra_failed":
            self._show_errors()
        raise failure

    def _gone(self) -> EngineFailed:
        """Why there is no answer: the process is no more."""
        code = self._process.wait()
        if code >= 0:
            how = f"ended with exit code {code}"
        else:
            how = f"was ended by {signal.Signals(-code).name}"
            how += ", as Linux does where memory runs out" if -code == signal.SIGKILL else ""
        return EngineFailed(BackendBroke.code, f"the engine's process {how}", status="infra_failed")

    def _show_errors(self) -> None:
        """What the engine said before it broke."""
        self._errors.seek(0)
        sys.stderr.write(self._errors.read().decode("utf-8", "replace")[-SHOWN:])
