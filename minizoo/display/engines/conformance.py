"""How an outcome of conformance is shown: a row a check with its figures, and the verdict last."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from minizoo.output import Column, Output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backends.conformance.outcome import Outcome
    from harness.conformance.ask import Asked


def show_asked(output: Output, asked: Asked) -> None:
    """The table of checks, then what the outcome covers, what it means for records, and where it is kept."""
    outcome = asked.outcome
    columns = [Column("check", importance=9), Column("verdict", importance=9), Column("figures", importance=5)]
    columns += [Column("said", importance=7)]
    rows = [[one.check, one.verdict, figures(one.figures), one.said] for one in outcome.checks]
    output.table(
        columns, rows, f"Conformance of {outcome.key.backend}, asked with {outcome.model} ({outcome.depth} suite)"
    )
    for line in lines(asked):
        output.text(line)
    output.text(verdict(outcome))


def lines(asked: Asked) -> list[str]:
    """What is to be read with the table."""
    key = asked.outcome.key
    engine = key.engine or "a backend that tells no version of its engine"
    told = [f"Covers {key.backend} ({engine}) on {key.device} in {key.dtype}, for {key.architecture}."]
    if not asked.has_engine:
        told.append("No evaluation looks it up: without a version it would cover every engine that is to come.")
    return [*told, f"Kept: {asked.path}."]


def verdict(outcome: Outcome) -> str:
    """The whole in one line."""
    counts = {word: sum(one.verdict == word for one in outcome.checks) for word in ("pass", "fail", "skip")}
    told = ", ".join(
        f"{counts[word]} {words}" for word, words in (("pass", "passed"), ("fail", "failed"), ("skip", "skipped"))
    )
    if outcome.passed:
        return f"PASSED: {told}."
    failed = ", ".join(one.check for one in outcome.checks if one.verdict == "fail")
    if not failed:
        return f"NOTHING ASKED: {told}. It stays unchecked."
    return f"FAILED: {told} ({failed}). Scores of it are recorded as unverified and stand in no view of valid results."


def figures(found: Mapping[str, float | int | str]) -> str:
    """Names and values, floats in three digits."""
    return ", ".join(f"{name} {_number(value)}" for name, value in found.items())


def document(asked: Asked) -> dict[str, Any]:
    """The same as plain values, for JSON."""
    from harness.conformance.files import digest_of

    outcome = asked.outcome
    return {
        **outcome.to_dict(),
        "key": asdict(outcome.key),
        "passed": outcome.passed,
        "digest": digest_of(outcome),
        "file": str(asked.path),
    }


def _number(value: float | int | str) -> str:
    return f"{value:.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
