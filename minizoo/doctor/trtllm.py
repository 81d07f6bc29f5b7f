"""TensorRT-LLM: which interpreter has it, what its release can be used for, and the lines that make one."""

from __future__ import annotations

from pathlib import Path

from backends.driven.interpreter import Asked, Interpreter
from backends.trtllm.interpreter import VARIABLE, ask, find_interpreter, two_lines
from backends.trtllm.support import table
from minizoo.doctor.result import CheckResult

IMAGE = "nvcr.io/nvidia/tensorrt-llm/release:X.Y.Z"
"""Upstream's own, by release (docs/source/installation/installation-guide.md)."""
MOUNTED = "-v {socket}:{socket} -v {served}:{served}:ro -v {model}:{model}:ro"
CONTAINER = (
    '--python python3 --worker-command "docker run --rm --ipc host --gpus all --ulimit memlock=-1 --ulimit stack=67108864 '
    f"--network none --entrypoint '' {MOUNTED} {IMAGE}\""
)
"""What makes `minizoo eval` and `conformance` run the worker in that image: upstream's line, and what the worker needs."""
NEVER = "minizoo has run none of it"


def check_trtllm(_: Path) -> CheckResult:
    """The interpreter that `--backend trtllm` would use, and the release in it, which is not imported to find out."""
    found = find_interpreter()
    if found is None:
        return CheckResult("warn", f"no interpreter with TensorRT-LLM (${VARIABLE}), so never run here", ways())
    return _told(found, ask(found.python))


def _told(found: Interpreter, told: Asked) -> CheckResult:
    where = f"{found.python} ({found.source})"
    if told.python is None:
        return CheckResult("warn", f"{where} does not answer as a Python", ways())
    if told.engine is None:
        return CheckResult("warn", f"{where}, Python {told.python}, has no TensorRT-LLM", ways())
    has = f"{told.engine} in {where}, Python {told.python}"
    if refused := why_not(told.engine.split()[-1]):
        return CheckResult("warn", f"{has}: {refused}", ways())
    return CheckResult("ok", f"{has}: scores, greedy text, times; {NEVER}")


def why_not(version: str) -> str:
    """Why minizoo's worker does not drive a release; empty where it does."""
    from packaging.version import InvalidVersion, Version

    driven = table().releases
    try:
        release = Version(version)
    except InvalidVersion:
        return f"{version!r} is no release"
    if release < Version(driven.first):
        return f"releases before {driven.first} are refused, for {driven.why}"
    newest = Version(driven.newest)
    if (release.major, release.minor) > (newest.major, newest.minor):
        return f"{driven.newest} is the newest that minizoo's worker was written against"
    return ""


def ways() -> str:
    """How to have it: by pip, with what upstream wants beforehand, or in upstream's container."""
    return "\n  ".join(
        (
            "Make one (CUDA Toolkit and libopenmpi-dev first; the wheel comes from NVIDIA's own index):",
            *two_lines(),
            f"Or run the worker in {IMAGE}:",
            f"minizoo conformance --backend trtllm --model nano-teacher {CONTAINER}",
        )
    )
