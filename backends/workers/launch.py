"""How a worker's process is started: its words, its surroundings, and that it ends with this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from zoo.errors import InterpreterUnfit, one_line

SERVED = Path(__file__).parent / "served"
"""The files that run inside workers."""
PLACES: tuple[str, ...] = ("{socket}", "{served}", "{model}")
"""What `--worker-command` may name: the folder of the socket, of the worker's own files, and of the model."""
IN_MINIZOO_ALONE = ("PYTHONPATH", "PYTHONHOME")
"""Variables that lead an interpreter to the packages of this one, which another must not find."""


@dataclass(frozen=True)
class Launch:
    """What a worker is started with."""

    name: str
    """The backend's, for messages."""
    engine_file: Path
    model: Path
    """The folder of the checkpoint."""
    python: str
    environment: Mapping[str, str]
    command: tuple[str, ...] = ()
    """Words before the interpreter: a container."""

    def words(self, folder: Path) -> list[str]:
        """The command line of a worker whose socket is in that folder."""
        places = dict(zip(PLACES, map(str, (folder, SERVED, self.model)), strict=True))
        before = [_filled(word, places) for word in self.command]
        serving = [self.python, str(SERVED / "serving.py")]
        return [*before, *serving, "--socket", str(folder / "socket"), "--engine", str(self.engine_file)]

    @property
    def surroundings(self) -> dict[str, str]:
        """The environment variables of the process: ours, and what the engine needs."""
        ours = dict(os.environ)
        if self.python == sys.executable:  # the same packages, also those that only this process was told of
            ours["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        else:
            for name in IN_MINIZOO_ALONE:
                ours.pop(name, None)
        return {**ours, **self.environment}


def started(launch: Launch, folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the process, in a session of its own, all that it prints going to `log`. InterpreterUnfit where it cannot be."""
    words = launch.words(folder)

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=launch.surroundings,
            start_new_session=True,
        )

    try:
        return _launcher().submit(start).result()
    except (OSError, ValueError) as error:  # ValueError: a NUL in a word
        said = error.strerror if isinstance(error, OSError) else None
        raise InterpreterUnfit(
            f"The worker of {launch.name} cannot be started: {words[0]!r} ({said or one_line(error)}).",
            "Give an interpreter that is there (`--python PATH`), or mend `--worker-command`.",
        ) from None


@cache
def _launcher() -> ThreadPoolExecutor:
    """One thread that lives as long as this process: a worker asks Linux to die with the thread that started it."""
    return ThreadPoolExecutor(1, "worker-launcher")


def _filled(word: str, places: Mapping[str, str]) -> str:
    for place, value in places.items():
        word = word.replace(place, value)
    return word
