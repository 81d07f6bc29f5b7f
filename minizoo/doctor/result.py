"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grade = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class CheckResult:
    """What a check found. `hint` is the line to run or the thing to do; empty when all is well."""

    verdict: Grade
    found: str
    hint: str = ""
