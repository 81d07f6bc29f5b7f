"""A command in a process of its own, so that what breaks it costs one step alone. No process outlives this one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""Nothing is ever fetched: a machine that is lent for ten minutes may have no network, and waiting for one costs them."""
LAST_LINES = 20
GRACE_S = 20.0
"""What a step may take after Ctrl-C to say what it keeps; a GPU's step is let run to its end."""
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Finished:
    """How a process ended: exit code (−9 where it was killed by signal 9), stdout, and the last lines of stderr."""

    code: int
    out: str
    err: str = ""

    @property
    def last_line(self) -> str:
        """Of stderr, what an exception ends with; in words where there is nothing."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        if lines:
            return lines[-1].strip()[:300]
        return f"killed by signal {-self.code}" if self.code < 0 else f"exit code {self.code}, without a word"


Runner = Callable[[Sequence[str]], Finished]


def run_process(command: Sequence[str], told: Callable[[str], None]) -> Finished:
    """Run the command and pass on each line of its stderr.

    Where this process is killed, the system kills that one with it: it would go on using the GPU beside the next call's. At
    Ctrl-C it is interrupted once, and KeyboardInterrupt is raised when it has ended.
    """
    last: deque[str] = deque(maxlen=LAST_LINES)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True, encoding="utf-8",
            errors="replace", env=environment(), start_new_session=True,
            preexec_fn=_dies_with(os.getpid()),  # noqa: PLW1509 (it calls the system alone, and takes no lock)
        )  # fmt: skip
        assert process.stderr is not None
        reader = threading.Thread(target=_pass_on, args=(process.stderr, last, told), daemon=True)
        reader.start()
        try:
            _wait(process)
        except KeyboardInterrupt:
            _interrupt(process)
            raise
        finally:
            _end_group(process)
            reader.join(timeout=5)
        out.seek(0)
        return Finished(process.returncode, out.read(), "".join(last))


def environment() -> dict[str, str]:
    """This process's, without a network and with this checkout's packages first."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, **OFFLINE, "PYTHONPATH": os.pathsep.join(paths)}


def _pass_on(stream: IO[str], last: deque[str], told: Callable[[str], None]) -> None:
    with contextlib.suppress(ValueError):  # the stream was closed
        for line in stream:
            last.append(line)
            told(line.rstrip("\n"))


def _wait(process: subprocess.Popen[str]) -> None:
    """Wait for the end of the process, and leave it to be reaped: until then its group's number is nobody else's."""
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def _interrupt(process: subprocess.Popen[str]) -> None:
    """One SIGINT to the process and its own, and some time to end; a second Ctrl-C ends it at once."""
    with contextlib.suppress(OSError, KeyboardInterrupt):
        os.killpg(process.pid, signal.SIGINT)
        timer = threading.Timer(GRACE_S, os.killpg, (process.pid, signal.SIGKILL))
        timer.daemon = True
        timer.start()
        try:
            _wait(process)
        finally:
            timer.cancel()


def _end_group(process: subprocess.Popen[str]) -> None:
    """Let no process of its group outlive it, and reap it."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _dies_with(parent: int) -> Callable[[], None]:
    """What the new process does before its command: ask for SIGKILL when its parent dies (prctl(2))."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return ask
