"""Where TensorRT-LLM's interpreter is, and the lines that make one or run upstream's container."""

from __future__ import annotations

import shlex
from pathlib import Path

import backends.workers
from backends.driven.interpreter import Asked, Interpreter, engine_folder, find, told_by

VARIABLE = "MINIZOO_TRTLLM_PYTHON"
"""The environment variable that names the interpreter where the command does not."""
REQUIREMENTS = Path(backends.workers.__file__).parent / "requirements-trtllm.txt"
_WHICH = (
    "import importlib.metadata as m, importlib.util as u, sys\n"
    "named = [d.version for d in m.distributions() if (d.metadata['Name'] or '').replace('-', '_') == 'tensorrt_llm']\n"
    "there = u.find_spec('tensorrt_llm') is not None\n"
    "print(sys.version.split()[0], *(f'tensorrt_llm {v}' for v in named[:1] if there), sep='\\n')\n"
)


def own_folder() -> Path:
    """The virtual environment that the two lines make."""
    return engine_folder("trtllm")


def find_interpreter(named: str | None = None) -> Interpreter | None:
    """The interpreter that is named, else $MINIZOO_TRTLLM_PYTHON, else the one of the two lines; None where there is none."""
    return find(named, VARIABLE, own_folder())


def ask(python: str) -> Asked:
    """Which Python an interpreter is and which TensorRT-LLM it has, without importing it. Never raises."""
    return told_by(python, _WHICH)


def two_lines() -> tuple[str, str]:
    """The commands that make the interpreter. Its wheels are of CPython 3.10 and 3.12, and come from NVIDIA's own index."""
    folder = shlex.quote(str(own_folder()))
    return (
        f"python3.12 -m venv {folder}",
        f"{folder}/bin/python -m pip install -r {shlex.quote(str(REQUIREMENTS))}",
    )
