"""From what a night found to its exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.gates.outcome import GateOutcome
from harness.records.night import Finding, JobOutcome

WORST_FIRST = (70, 1, 4, 3, 0)
"""A regression stands before a fault of the surroundings here, for a job that failed must not hide what another one found."""
REGRESSED, UNDECIDED, ENVIRONMENT, FAULT = 1, 3, 4, 70


def exit_code(outcomes: Iterable[JobOutcome], findings: Sequence[Finding], gate: GateOutcome | None) -> int:
    """1 where anything regressed or the canary moved; 4 where a job failed, for whatever reason; 3 where something was not
    begun or could not be told; 70 where minizoo itself is at fault."""
    codes = {0} | ({gate.exit_code} if gate else set())
    for outcome in outcomes:
        if outcome.status in ("failed", "infra_failed"):
            last = outcome.attempts[-1].exit_code if outcome.attempts else None
            codes.add(FAULT if last == FAULT else ENVIRONMENT)
        elif outcome.status in ("interrupted", "not_begun"):
            codes.add(UNDECIDED)
    of_kind = {"regressed": REGRESSED, "platform": REGRESSED, "infra": ENVIRONMENT, "undecided": UNDECIDED, "told": 0}
    codes |= {of_kind[finding.kind] for finding in findings}
    return next(code for code in WORST_FIRST if code in codes)
