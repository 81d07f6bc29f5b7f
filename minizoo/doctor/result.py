"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class CheckResult:
    """What a check found. `hint` is the line to run or the thing to do; empty when all is well."""

    verdict: Verdict
    found: str
    hint: str = ""
