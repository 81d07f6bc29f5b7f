"""From what the tests of an entry say to its status, and from the statuses of a plan to the exit code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.gates.policy import Tier, Underpowered

Status = Literal["REGRESSED", "PASS", "UNDERPOWERED", "INCOMPARABLE", "MISSING", "MUTED"]
STATUSES: tuple[Status, ...] = ("REGRESSED", "INCOMPARABLE", "MISSING", "UNDERPOWERED", "MUTED", "PASS")
"""The gravest first, in the order of tables."""
UNDECIDED: frozenset[Status] = frozenset({"UNDERPOWERED", "INCOMPARABLE", "MISSING"})
NOTHING_COMPARED: frozenset[Status] = frozenset({"INCOMPARABLE", "MISSING"})

Detect = Literal["alarm", "quiet", "too few"]
"""A loss was found; none was, and one of `margin` would have been; none was, and one of `margin` could have been missed."""
Release = Literal["within", "straddles", "beyond"]
"""The loss is smaller than the margin; it may be either; it is larger."""

REGRESSED, INCONCLUSIVE = 1, 3
"""Exit codes."""


@dataclass(frozen=True)
class Answers:
    """What the two tests say; None of a question that the entry does not ask."""

    detect: Detect | None = None
    release: Release | None = None


def decide(answers: Answers) -> Status:
    """The status of an entry. What was found outweighs what could not be told; ValueError where nothing was asked."""
    if answers == Answers():
        raise ValueError("an entry asks something")
    if answers.detect == "alarm" or answers.release == "beyond":
        return "REGRESSED"
    if answers.release is not None:  # asked beside detect, it alone gives PASS: a quiet test of no loss proves none
        return "PASS" if answers.release == "within" else "UNDERPOWERED"
    return "PASS" if answers.detect == "quiet" else "UNDERPOWERED"


def exit_code(rows: Iterable[tuple[Tier, Status]], underpowered: Underpowered) -> int:
    """1 for a regression of a tier that is not advisory; else 3 where nothing was compared, or a tier fails what is undecided.

    A plan without rows compared nothing.
    """
    rows = list(rows)
    if any(status == "REGRESSED" and tier != "advisory" for tier, status in rows):
        return REGRESSED
    if all(status in NOTHING_COMPARED for _, status in rows):
        return INCONCLUSIVE
    undecided = any(status in UNDECIDED and underpowered.fails(tier) for tier, status in rows)
    return INCONCLUSIVE if undecided else 0
