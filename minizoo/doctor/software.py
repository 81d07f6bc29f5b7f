"""Python, and the packages that minizoo requires."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from pathlib import Path

from minizoo.doctor.result import CheckResult


def check_python(_: Path) -> CheckResult:
    """Which Python runs this; pip refuses to install minizoo under one that is too old."""
    return CheckResult("ok", f"{platform.python_version()}, {sys.executable}")


def check_packages(_: Path) -> CheckResult:
    """Every package that minizoo requires is there, in a version that it allows."""
    from packaging.requirements import Requirement

    try:
        listed = [Requirement(line) for line in importlib.metadata.requires("minizoo") or ()]
    except importlib.metadata.PackageNotFoundError:
        return CheckResult(
            "warn", "minizoo runs without being installed; its requirements are not known", "pip install -e ."
        )
    needed = [requirement for requirement in listed if not requirement.marker or requirement.marker.evaluate()]
    wrong: list[str] = []
    for requirement in needed:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement} is not installed")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement} is required, {version} is installed")
    if wrong:
        return CheckResult("fail", "; ".join(wrong), "pip install -c constraints.txt minizoo")
    return CheckResult("ok", f"all {len(needed)} required packages are there")


def check_torch(_: Path) -> CheckResult:
    """PyTorch can be imported; which version, built for what."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of it is missing or broken
        return CheckResult(
            "fail", f"cannot be imported: {error}", "pip install --force-reinstall -c constraints.txt torch"
        )
    build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for CPUs"
    return CheckResult("ok", f"{torch.__version__}, {build}")
