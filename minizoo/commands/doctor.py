"""`minizoo doctor`: what works on this machine, and how to repair what does not."""

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
    """Check Python, torch, GPU, hub, disk, isolation and database; say how to repair each. Exit 4 when something fails."""
    from minizoo.doctor.checks import examine, worst

    checked = examine(results)
    output = Output(as_json)
    if as_json:
        checks = [{"name": name, **asdict(result)} for name, result in checked.items()]
        output.document("doctor", {"verdict": worst(checked), "checks": checks})
    else:
        columns = [Column("check"), Column("verdict"), Column("found")]
        output.table(columns, [(name, result.verdict, result.found) for name, result in checked.items()])
        output.text()
        for name, result in checked.items():
            if result.hint:
                output.text(f"{name}: {result.hint}")
        counts = Counter(result.verdict for result in checked.values())
        output.text(f"{len(checked)} checks: " + ", ".join(f"{counts[v]} {v}" for v in ("ok", "warn", "fail")))
    return 4 if worst(checked) == "fail" else 0
