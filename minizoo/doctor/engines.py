"""vLLM: which interpreter has it, in which version, and the lines that make one that has."""

from __future__ import annotations

from pathlib import Path

from backends.vllm.interpreter import ask, find_interpreter, two_lines
from minizoo.doctor.result import CheckResult


def check_vllm(_: Path) -> CheckResult:
    """The interpreter that `--backend vllm` would use, and the vLLM in it, which is not imported to find out."""
    found = find_interpreter()
    lines = "\n  ".join(("Make one:", *two_lines(_has_gpu())))
    if found is None:
        return CheckResult("warn", "no interpreter with vLLM; `--backend vllm` needs one", lines)
    told = ask(found.python)
    where = f"{found.python} ({found.source})"
    if told.python is None:
        return CheckResult("warn", f"{where} does not answer as a Python", lines)
    if told.engine is None:
        return CheckResult("warn", f"{where}, Python {told.python}, has no vLLM", lines)
    return CheckResult("ok", f"{told.engine} in {where}, Python {told.python}")


def _has_gpu() -> bool:
    try:
        import torch
    except (ImportError, OSError):  # OSError: a shared library of it is missing or broken
        return False
    return torch.cuda.is_available()
