"""What `minizoo claims` shows: each claim with its numbers, its verdict and what would settle it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from minizoo.output import Output

if TYPE_CHECKING:
    from zoo.claims.analyses import ClaimStep
    from zoo.claims.judge import Judged

MARK = {True: "agrees", False: "differs"}


def judged_claims(results: Path) -> list[Judged]:
    """Every claim, with what the results folder measured; a folder that is not there is not made."""
    from zoo.claims.judge import judge_claims
    from zoo.registry.loader import load_registry

    registry = load_registry()
    if not results.is_dir():
        return judge_claims(registry)
    from harness.store.claim_evidence import claim_evidence

    return judge_claims(registry, claim_evidence(results, registry))


def show_claims(output: Output, judged: Sequence[Judged]) -> None:
    """A paragraph a claim, and how many claims have each verdict."""
    if output.as_json:
        output.document("claims", {"claims": [asdict(claim) for claim in judged]})
        return
    for claim in judged:
        _show_claim(output, claim)
    verdicts = [claim.verdict for claim in judged]
    output.text(", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in sorted(set(verdicts))) + ".")


def _show_claim(output: Output, claim: Judged) -> None:
    sources = f"({', '.join(claim.sources)})"
    output.text(f"{claim.id}: {claim.verdict}")
    output.text(f"  “{claim.quote}”")
    output.text(f"  says {claim.says}{claim.unit} {sources}" if claim.says else f"  {sources}")
    if claim.inputs:
        output.text("  from " + ", ".join(f"{name} {value:.12g}" for name, value in claim.inputs.items()))
    for step in claim.steps:
        output.text(f"  {_step_line(step)}")
    if claim.caveat:
        output.text(f"  note: {claim.caveat}")
    if claim.verdict == "needs a measurement":
        output.text(f"  run: {claim.measure}")
    output.text()


def _step_line(step: ClaimStep) -> str:
    how = f" = {step.formula}" if step.formula else ""
    mark = "" if step.agrees is None else f"  [{MARK[step.agrees]}]"
    return f"· {step.label}: {step.text}{mark}{how}"
