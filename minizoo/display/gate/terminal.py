"""A gate's verdicts on a terminal: one table, what it rests on, the verdict last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minizoo.display.gate.cells import (
    difference_cells,
    ended,
    flip_cells,
    gold_cells,
    interval_words,
    metric_words,
    ordered,
    p_cells,
    score_cells,
)
from minizoo.output import Column, Output

if TYPE_CHECKING:
    from harness.gates.outcome import GateOutcome, Verdict

BESIDE = (
    "difference: candidate (B) − reference (A) in the metric's own unit, of speed in per cent (negative is slower). p: of no "
    "loss where detect is asked, else of a loss within the margin; adjusted over the plan by Holm. Δ log p: nats an item."
)


def show_gate(output: Output, outcome: GateOutcome) -> None:
    """The table with the gravest first, pairs, alphas, notes, and the headline at the end, where a reader looks."""
    if outcome.verdicts:
        output.table(_columns(outcome), [_row(verdict) for verdict in ordered(outcome)], f"Gate {outcome.policy.name}")
    for line in tail(outcome):
        output.text(line)
    output.text(ended(outcome.headline))


def tail(outcome: GateOutcome) -> list[str]:
    """What is said beside the table: who is compared, how alpha is split, what the columns are, notes."""
    pairs = dict.fromkeys(verdict.pair for verdict in outcome.verdicts)
    told = [f"Candidate {pair.candidate}; reference {pair.reference}." for pair in pairs]
    beside = [BESIDE] if outcome.verdicts else []
    return [*told, *outcome.told_alpha(), *beside, *map(ended, outcome.notes)]


def _columns(outcome: GateOutcome) -> list[Column]:
    columns = [Column("status", importance=9), Column("model", importance=7), Column("task", importance=9)]
    columns += [Column("metric", importance=3), Column("tier", importance=3), Column("n", True, 4)]
    columns += [Column("reference", True, 2), Column("candidate", True, 2), Column("difference", True, 7)]
    columns += [Column(interval_words(outcome), True, 5), Column("margin", True, 6), Column("lost", True, 3)]
    columns += [Column("gained", True, 3), Column("p", True, 2), Column("p adjusted", True, 5)]
    columns += [Column("Δ log p", True, 4), Column("its interval", True, 2), Column("its p adjusted", True, 2)]
    return [*columns, Column("why", importance=8)]


def _row(verdict: Verdict) -> list[str]:
    numbers = verdict.numbers
    return [
        verdict.status, verdict.pair.model, verdict.task, metric_words(verdict), verdict.tier, *score_cells(verdict),
        *difference_cells(verdict), *flip_cells(numbers), *p_cells(verdict), *gold_cells(numbers), verdict.reason,
    ]  # fmt: skip
