"""Whether a backend is known to be right for a kind of model: by outcomes that come with minizoo, or of these results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from backends.conformance.key import Key
from backends.conformance.outcome import Outcome
from backends.conformance.shipped import shipped
from harness.conformance.files import digest_of, kept_of
from harness.records.record import Conformance

Source = Literal["shipped", "measured"]
State = Literal["passed", "failed", "unchecked"]
WORST_FIRST: tuple[State, ...] = ("failed", "passed", "unchecked")
"""Which of several outcomes counts; of equals the first, a shipped one before one measured here."""


@dataclass(frozen=True)
class Standing:
    """What is known of a key."""

    state: State
    source: Source | None = None
    digest: str | None = None
    outcome: Outcome | None = None


def standing(key: Key, results_dir: Path) -> Standing:
    """The outcome that counts: one that failed, wherever it is from; else the shipped one; else what was measured here.

    A failure seen on this machine stands before a shipped pass, which was measured on another.
    """
    found = [*_shipped(key), *_measured(key, results_dir)]
    if not found:
        return Standing("unchecked")
    source, outcome = min(found, key=lambda pair: WORST_FIRST.index(state_of(pair[1])))
    return Standing(state_of(outcome), source, digest_of(outcome), outcome)


def state_of(outcome: Outcome) -> State:
    """What an outcome says of its key; one of which every check was skipped says nothing."""
    return "passed" if outcome.passed else "failed" if failed_checks(outcome) else "unchecked"


def recorded(key: Key, found: Standing, reason: str | None = None) -> Conformance:
    """A standing as a record has it. `reason`: why nothing is known."""
    outcome = found.outcome
    return Conformance(
        state=found.state,
        source=found.source,
        digest=found.digest,
        depth=outcome.depth if outcome else None,
        key=asdict(key),
        failed=failed_checks(outcome) if outcome else (),
        reason=reason,
    )


def scored(known: Conformance, backend: str, absent: str | None) -> dict[str, Any]:
    """Status and reason of a record with scores of that backend. `absent`: which of its metrics have no value, in words."""
    if known.state != "failed":
        return {"status": "ok", "reason": absent}
    doubt = f"backend {backend} failed conformance for such a model ({', '.join(known.failed)})"
    return {"status": "unverified", "reason": f"{doubt}; {absent}" if absent else doubt}


def failed_checks(outcome: Outcome) -> tuple[str, ...]:
    """Names of the checks that found a fault, in the order of the suite."""
    return tuple(check.check for check in outcome.checks if check.verdict == "fail")


def _shipped(key: Key) -> Iterator[tuple[Source, Outcome]]:
    for outcome in shipped():
        if outcome.key == key:
            yield "shipped", outcome


def _measured(key: Key, results: Path) -> Iterator[tuple[Source, Outcome]]:
    for kept in kept_of(results, key):
        yield "measured", kept.outcome
