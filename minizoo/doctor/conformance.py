"""Which backends are known to give right numbers, by outcomes that come with minizoo and those of the results folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from minizoo.doctor.result import CheckResult

if TYPE_CHECKING:
    from backends.conformance.outcome import Outcome

HINT = "minizoo conformance --backend {} --model nano-teacher"


def check_conformance(results: Path) -> CheckResult:
    """Every backend with its outcomes, counted by what they say; one that failed is named with its checks."""
    from backends.conformance.shipped import shipped
    from backends.opening import backend_names
    from harness.conformance.files import all_kept
    from harness.conformance.standing import failed_checks

    found: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in [*shipped(), *(kept.outcome for kept in all_kept(results))]:
        found[outcome.key.backend].append(outcome)
    failed = [outcome for outcomes in found.values() for outcome in outcomes if not outcome.passed]
    if failed:
        told = "; ".join(
            f"{one.key.backend} ({one.key.engine}) failed {', '.join(failed_checks(one))} for {one.key.architecture} on "
            f"{one.key.device} in {one.key.dtype}"
            for one in failed
        )
        return CheckResult("warn", told, f"Its scores are unverified. {HINT.format(failed[0].key.backend)}")
    told = "; ".join(f"{name}: {_covered(found.get(name, ()))}" for name in sorted({*found, *backend_names()}))
    never = next((name for name in backend_names() if name not in found), None)
    return CheckResult("ok", told, HINT.format(never) if never else "")


def _covered(outcomes: Sequence[Outcome]) -> str:
    covered = dict.fromkeys(f"{one.key.engine}, {one.key.device}, {one.key.dtype}" for one in outcomes)
    return f"passed ({'; '.join(covered)})" if covered else "never asked"
