"""`minizoo claims`: what the cards say, recomputed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minizoo.options import results_option
from minizoo.output import Output, json_option

if TYPE_CHECKING:
    from zoo.claims.analyses import Measured, Step
    from zoo.claims.judge import Judged

MARK = {True: "agrees", False: "differs", None: ""}


@click.command(short_help="Recompute what the model cards and papers claim.")
@results_option
@json_option
def claims(results: Path, as_json: bool) -> None:
    """Recompute each checkable sentence of the cards and papers: its numbers, its verdict, what would settle it.

    Where the results folder holds measured records of a published score, they are shown beside it.
    """
    from zoo.claims.judge import judge_claims
    from zoo.registry.loader import load_registry

    judged = judge_claims(load_registry(), _measurements(results))
    out = Output(as_json)
    if as_json:
        out.document("claims", {"claims": [asdict(claim) for claim in judged]})
        return
    for claim in judged:
        _show(out, claim)
    verdicts = [claim.verdict for claim in judged]
    out.text(", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in sorted(set(verdicts))) + ".")


def _show(out: Output, claim: Judged) -> None:
    out.text(f"{claim.id}: {claim.verdict}")
    out.text(f"  “{claim.quote}”")
    out.text(f"  says {claim.says}{claim.unit} ({', '.join(claim.sources)})" if claim.says else
             f"  ({', '.join(claim.sources)})")  # fmt: skip
    if claim.inputs:
        out.text("  from " + ", ".join(f"{name} {value:.12g}" for name, value in claim.inputs.items()))
    for step in claim.steps:
        out.text(f"  {_line(step)}")
    if claim.caveat:
        out.text(f"  note: {claim.caveat}")
    if claim.verdict == "needs a measurement":
        out.text(f"  run: {claim.measure}")
    out.text()


def _line(step: Step) -> str:
    how = f" = {step.formula}" if step.formula else ""
    mark = f"  [{MARK[step.agrees]}]" if step.agrees is not None else ""
    return f"· {step.label}: {step.text}{mark}{how}"


def _measurements(results: Path) -> Callable[[str, str], list[Measured]] | None:
    """What the store of this results folder measured; None where there is no folder, so that none is made."""
    if not results.is_dir():
        return None
    from harness.store.database import query
    from zoo.claims.analyses import Measured

    rows = query(
        results,
        "SELECT model, task, metric, filter, value, lower, upper, n, run_id FROM scores "
        "WHERE source = 'measured' AND status = 'ok' AND value IS NOT NULL ORDER BY finished_at",
    )
    newest: dict[tuple[str, str], dict[tuple[str, str | None], Measured]] = {}
    for row in rows:
        found = Measured(
            row["metric"],
            row["filter"],
            row["value"],
            row["lower"],
            row["upper"],
            int(row["n"] or 0),
            str(row["run_id"]),
        )
        newest.setdefault((row["model"], row["task"]), {})[row["metric"], row["filter"]] = found
    return lambda model, task: list(newest.get((model, task), {}).values())
