"""Where TensorRT-LLM's interpreter is, and the lines that make one or run upstream's container."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

import backends.workers
from zoo.files import cache_folder

VARIABLE = "MINIZOO_TRTLLM_PYTHON"
"""The environment variable that names the interpreter where the command does not."""
REQUIREMENTS = Path(backends.workers.__file__).parent / "requirements-trtllm.txt"
ASK_SECONDS = 20.0
_WHICH = (
    "import importlib.metadata as m, importlib.util as u, sys\n"
    "named = [d.version for d in m.distributions() if (d.metadata['Name'] or '').replace('-', '_') == 'tensorrt_llm']\n"
    "there = u.find_spec('tensorrt_llm') is not None\n"
    "print(sys.version.split()[0], *(f'tensorrt_llm {v}' for v in named[:1] if there), sep='\\n')\n"
)


class Interpreter(NamedTuple):
    """An interpreter, and who named it."""

    python: str
    source: str


class Asked(NamedTuple):
    """What an interpreter says of itself: its Python, and TensorRT-LLM's distribution with its version; None for neither."""

    python: str | None
    trtllm: str | None


def own_folder() -> Path:
    """The virtual environment that the two lines make."""
    return cache_folder() / "engines" / "trtllm"


def find_interpreter(named: str | None = None) -> Interpreter | None:
    """The interpreter that is named, else $MINIZOO_TRTLLM_PYTHON, else the one of the two lines; None where there is none.

    Whether a named one is there is not looked at: whoever starts it tells that.
    """
    if named:
        return Interpreter(named, "--python")
    if told := os.environ.get(VARIABLE):
        return Interpreter(told, VARIABLE)
    own = own_folder() / "bin" / "python"
    return Interpreter(str(own), str(own_folder())) if own.exists() else None


def ask(python: str) -> Asked:
    """Which Python an interpreter is and which TensorRT-LLM it has, without importing it. Never raises."""
    try:
        told = subprocess.run(
            [python, "-I", "-c", _WHICH], capture_output=True, text=True, timeout=ASK_SECONDS, check=True
        ).stdout.splitlines()
    except (OSError, ValueError, subprocess.SubprocessError):
        return Asked(None, None)
    return Asked(told[0] if told else None, ", ".join(told[1:]) or None)


def two_lines() -> tuple[str, str]:
    """The commands that make the interpreter. Its wheels are of CPython 3.10 and 3.12, and come from NVIDIA's own index."""
    folder = shlex.quote(str(own_folder()))
    return (
        f"python3.12 -m venv {folder}",
        f"{folder}/bin/python -m pip install -r {shlex.quote(str(REQUIREMENTS))}",
    )
