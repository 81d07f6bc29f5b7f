"""Whether code that a model wrote can be kept apart."""

from __future__ import annotations

from pathlib import Path

from minizoo.doctor.result import CheckResult


def check_isolation(_: Path) -> CheckResult:
    """Generated code can be kept apart (tasks such as HumanEval run what a model wrote)."""
    from harness.sandbox.packages import told
    from harness.sandbox.runner import faults, packages_here, require_isolation
    from harness.sandbox.tiers import UNSANDBOXED, hints
    from zoo.errors import NoIsolation

    try:
        best = require_isolation()
    except NoIsolation as fault:
        return CheckResult("fail", fault.what, fault.hint)
    others = [
        f"{name} {f'does not ({fault})' if fault else 'works too'}" for name, fault in faults().items() if name != best
    ]
    found = "; ".join([f"generated code runs under {best}", *others, f"it may import {told(packages_here())}"])
    return CheckResult("warn", found, "; ".join(hints())) if best == UNSANDBOXED else CheckResult("ok", found)
