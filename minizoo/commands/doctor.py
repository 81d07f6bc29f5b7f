"""`minizoo doctor`: what works on this machine, and what mends the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from minizoo.options import results_option, sandbox_options
from minizoo.output import Column, Output, json_option


@click.command()
@results_option
@sandbox_options
@json_option
def doctor(results: Path, as_json: bool) -> int:
    """Check Python, torch, GPU, hub, disk, isolation and database; say what mends each. Exit 4 when something fails."""
    from minizoo.doctor.checks import examine, worst

    findings = examine(results)
    output = Output(as_json)
    if as_json:
        checks = [{"name": name, **asdict(finding)} for name, finding in findings.items()]
        output.document("doctor", {"verdict": worst(findings), "checks": checks})
    else:
        columns = [Column("check"), Column("verdict"), Column("found")]
        output.table(columns, [(name, finding.verdict, finding.found) for name, finding in findings.items()])
        output.text()
        for name, finding in findings.items():
            if finding.hint:
                output.text(f"{name}: {finding.hint}")
        counts = Counter(finding.verdict for finding in findings.values())
        output.text(f"{len(findings)} checks: " + ", ".join(f"{counts[v]} {v}" for v in ("ok", "warn", "fail")))
    return 4 if worst(findings) == "fail" else 0
