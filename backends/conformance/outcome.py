"""What came of the checks, as values: of one check, and of all of them for one key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from backends.conformance.key import Key

Verdict = Literal["pass", "fail", "skip"]
Depth = Literal["full", "short"]
Figure = float | int | str


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What came of one check."""

    check: str
    verdict: Verdict
    figures: Mapping[str, Figure]
    """What was measured, by name; log-probabilities in nats."""
    said: str
    """One sentence: what was seen, what was wrong, or why it was not asked."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of all checks of one backend over one model."""

    key: Key
    checks: tuple[CheckOutcome, ...]
    depth: Depth
    model: str

    @property
    def passed(self) -> bool:
        """Whether no check failed, and one at least was asked."""
        verdicts = {one.verdict for one in self.checks}
        return "fail" not in verdicts and "pass" in verdicts

    def failed(self) -> list[CheckOutcome]:
        """The checks that failed."""
        return [one for one in self.checks if one.verdict == "fail"]

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it; a figure that is no number is a text there (`nan`, `inf`)."""
        checks = [{**asdict(one), "figures": {k: _json(v) for k, v in one.figures.items()}} for one in self.checks]
        return {"key": asdict(self.key), "depth": self.depth, "model": self.model, "checks": checks}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Outcome:
        """The outcome that `to_dict` wrote; KeyError or TypeError for anything else."""
        checks = tuple(CheckOutcome(**one) for one in data["checks"])
        return cls(Key(**data["key"]), checks, data["depth"], data["model"])


class Skip(Exception):
    """A check that cannot be asked of this backend or model; its message says why."""


class Fail(Exception):
    """A check that failed; its message says how, `figures` what was measured."""

    def __init__(self, said: str, **figures: Figure) -> None:
        super().__init__(said)
        self.figures = figures


@dataclass(frozen=True, slots=True)
class Passed:
    """A check that passed, and what it measured."""

    said: str
    figures: Mapping[str, Figure]


def passed(said: str, **figures: Figure) -> Passed:
    """A check that passed."""
    return Passed(said, figures)


def _json(figure: Figure) -> Figure:
    return str(figure) if isinstance(figure, float) and not math.isfinite(figure) else figure
