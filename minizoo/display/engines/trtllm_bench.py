"""A report of trtllm-bench beside minizoo's own run of the same workload, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from minizoo.output import Column, Output
from reports.speed.trtllm_bench import TOOL, Bench, Line, definitions


def show_benches(output: Output, found: Sequence[Bench]) -> None:
    """A table of what both measured, with the words that mean two things; where nothing is there to compare, why not."""
    columns = [Column("model"), Column("point"), Column("metric", importance=3), Column("statistic")]
    columns += [
        Column(TOOL, True, 3),
        Column("minizoo", True, 3),
        Column("interval", True),
        Column("theirs / ours", True, 2),
    ]
    columns += [Column("run with", importance=2)]
    rows = [_row(bench, line) for bench in found for line in bench.lines]
    if rows:
        output.table(
            columns, rows, f"{TOOL} beside minizoo, the same workload; not a test, for its figures have no error"
        )
        for one in definitions():
            output.text(f"{one.word}: {TOOL}: {one.theirs}. minizoo: {one.ours}. So: {one.so}.")
    for bench in found:
        if bench.absent:
            output.text(f"Nothing of minizoo's stands beside {bench.task} of {bench.model}: {bench.absent}.")


def bench_documents(found: Sequence[Bench]) -> list[dict[str, Any]]:
    """The same as JSON: every line with its ratio, and the words."""
    words = [asdict(one) for one in definitions()]
    return [
        {
            **asdict(bench),
            "lines": [{**asdict(line), "ratio": line.ratio} for line in bench.lines],
            "definitions": words,
        }
        for bench in found
    ]


def _row(bench: Bench, line: Line) -> list[str]:
    interval = "–" if line.lower is None or line.upper is None else f"{line.lower:.4g} – {line.upper:.4g}"
    doubts = [] if line.valid else ["NOT VALID"]
    doubts += ["random weights"] if line.weights == "random" else []
    how = ", ".join([f"{line.backend}, batch {line.batch}", *doubts])
    point = bench.task.removeprefix(f"{TOOL}.")
    return [
        bench.model, point, f"{line.metric} ({line.unit})", line.statistic, f"{line.theirs:.4g}", f"{line.ours:.4g}",
        interval, f"{line.ratio:.2f}", how,
    ]  # fmt: skip
