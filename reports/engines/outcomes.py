"""Outcomes of conformance as a table: those that come with minizoo, and those of a results folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from backends.conformance.outcome import Outcome
from backends.conformance.shipped import shipped
from harness.conformance.files import all_kept
from harness.conformance.standing import failed_checks
from reports.cells import moment
from reports.models.grid import Cell, Column, Grid, grid, short

COLUMNS = (
    Column("Backend"), Column("Engine"), Column("Device"), Column("Dtype"), Column("Model class"), Column("Conformance"),
    Column("Checks", wide=True), Column("Outcome"),
)  # fmt: skip
VERDICTS = {"pass": "passed", "fail": "failed", "skip": "skipped"}


class Told(NamedTuple):
    """An outcome, where it is from and when it was measured."""

    outcome: Outcome
    source: str
    when: str = ""


def outcomes_of(results: Path) -> list[Told]:
    """Shipped ones, then those measured into these results."""
    measured = [Told(kept.outcome, "measured", moment(kept.measured_at)) for kept in all_kept(results)]
    return [*(Told(outcome, "shipped") for outcome in shipped()), *measured]


def outcome_grid(told: Sequence[Told]) -> Grid | None:
    """A row an outcome; None where there is none."""
    rows = [_row(*one) for one in told]
    note = (
        "An outcome covers one backend, version of its engine, kind of device, dtype and model class, and nothing else."
    )
    return grid("Backends that were asked questions whose answers are known.", COLUMNS, rows, (note,))


def summary(told: Sequence[Told]) -> str:
    """How many passed and failed, in one sentence; what it means that there is none."""
    if not told:
        return "No backend was put through the conformance suite: every row of this site is of an unchecked backend."
    failed = sum(not one.outcome.passed for one in told)
    asked = f"{len(told):,} outcome{'' if len(told) == 1 else 's'} of conformance"
    return f"{asked}: {len(told) - failed:,} passed, {failed:,} failed. What was measured without one is unchecked."


def _row(outcome: Outcome, source: str, when: str) -> list[Cell]:
    key = outcome.key
    counted = {words: sum(one.verdict == verdict for one in outcome.checks) for verdict, words in VERDICTS.items()}
    failed = failed_checks(outcome)
    return [
        Cell(short(key.backend)),
        Cell(short(key.engine)),
        Cell(short(key.device)),
        Cell(short(key.dtype)),
        Cell(short(key.architecture), f"asked with {short(outcome.model, 60)}"),
        Cell("passed" if outcome.passed else "failed", mark="good" if outcome.passed else "bad"),
        Cell(", ".join(f"{n} {words}" for words, n in counted.items() if n), ", ".join(map(short, failed))),
        Cell(source, ", ".join(filter(None, (f"{outcome.depth} suite", when)))),
    ]
