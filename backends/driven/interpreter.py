"""Where an engine's interpreter is, and what it says of itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from zoo.files import cache_folder

ASK_SECONDS = 20.0


class Interpreter(NamedTuple):
    """An interpreter, and who named it."""

    python: str
    source: str


class Asked(NamedTuple):
    """What an interpreter says of itself: its Python, and the engine's distribution with its version; None for neither."""

    python: str | None
    engine: str | None


def engine_folder(name: str) -> Path:
    """The virtual environment that minizoo's own lines make for the engine of that name."""
    return cache_folder() / "engines" / name


def find(named: str | None, variable: str, own: Path) -> Interpreter | None:
    """The interpreter that is named, else the environment variable's, else that of the folder `own`; None where there is none.

    Whether a named one is there is not looked at: whoever starts it tells that.
    """
    if named:
        return Interpreter(named, "--python")
    if told := os.environ.get(variable):
        return Interpreter(told, variable)
    python = own / "bin" / "python"
    return Interpreter(str(python), str(own)) if python.exists() else None


def told_by(python: str, program: str) -> Asked:
    """What the program prints there: the Python in the first line, distributions in the others. Never raises."""
    try:
        told = subprocess.run(
            [python, "-I", "-c", program], capture_output=True, text=True, timeout=ASK_SECONDS, check=True
        ).stdout.splitlines()
    except (OSError, ValueError, subprocess.SubprocessError):
        return Asked(None, None)
    return Asked(told[0] if told else None, ", ".join(told[1:]) or None)
