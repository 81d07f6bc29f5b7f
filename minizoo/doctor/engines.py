"""Other inference engines: which interpreter has one, in which version, and the lines that make one that has."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from backends.vllm.interpreter import ask, find_interpreter, two_lines
from minizoo.doctor.result import CheckResult

NOT_RUN = {"trtllm": "tensorrt_llm"}
"""Engines that minizoo has no worker for yet → the package they are imported from."""


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
    if told.vllm is None:
        return CheckResult("warn", f"{where}, Python {told.python}, has no vLLM", lines)
    return CheckResult("ok", f"{told.vllm} in {where}, Python {told.python}")


def check_engines(_: Path) -> CheckResult:
    """Engines beside vLLM; without one, nothing is ever run with it here."""
    absent = [name for name, package in NOT_RUN.items() if importlib.util.find_spec(package) is None]
    if not absent:
        return CheckResult("ok", f"{', '.join(NOT_RUN)} installed")
    told = "; ".join(f"{name}: not installed, never run here" for name in absent)
    return CheckResult("warn", told, "Only to compare with these engines: install each in an interpreter of its own.")


def _has_gpu() -> bool:
    try:
        import torch
    except (ImportError, OSError):  # OSError: a shared library of it is missing or broken
        return False
    return torch.cuda.is_available()
