"""What works on this machine: a table of small checks, each with a verdict and a hint for what does not.

`fail` is for what every evaluation needs; what only some need (a GPU, the hub, another engine) is `warn` where absent.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from minizoo.doctor.conformance import check_conformance
from minizoo.doctor.devices import check_device, check_gpu, check_speed
from minizoo.doctor.engines import check_vllm
from minizoo.doctor.hub import check_hub
from minizoo.doctor.isolation import check_isolation
from minizoo.doctor.ray import check_ray
from minizoo.doctor.result import CheckResult, Grade
from minizoo.doctor.software import check_compiler, check_packages, check_python, check_torch
from minizoo.doctor.storage import check_cache, check_database, check_results
from minizoo.doctor.trtllm import check_trtllm
from zoo.errors import one_line

CHECKS: dict[str, Callable[[Path], CheckResult]] = {
    "Python": check_python,
    "packages": check_packages,
    "torch": check_torch,
    "compiler": check_compiler,
    "device": check_device,
    "GPU": check_gpu,
    "speed": check_speed,
    "vllm": check_vllm,
    "trtllm": check_trtllm,
    "ray": check_ray,
    "conformance": check_conformance,
    "hub": check_hub,
    "results": check_results,
    "hub cache": check_cache,
    "isolation": check_isolation,
    "database": check_database,
}


def examine(results: Path) -> dict[str, CheckResult]:
    """Run every check, by name, in the order of the table. Never raises: a check that breaks is itself a `fail`."""
    return {name: _careful(check, results) for name, check in CHECKS.items()}


def worst(results_by_check: dict[str, CheckResult]) -> Grade:
    """The gravest verdict of all."""
    verdicts = {result.verdict for result in results_by_check.values()}
    return "fail" if "fail" in verdicts else "warn" if "warn" in verdicts else "ok"


def _careful(check: Callable[[Path], CheckResult], results: Path) -> CheckResult:
    try:
        return check(results)
    except Exception as error:
        told = f"the check itself broke: {type(error).__name__}: {one_line(error)}"
        return CheckResult("fail", told, "Run `minizoo --debug doctor` and report what it shows.")
