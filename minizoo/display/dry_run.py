"""What `minizoo eval --dry-run` shows: a row an entry of the suite, and footnotes on what the figures rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minizoo.display.eval_memory import memory_document, told_memory
from minizoo.display.eval_time import estimated, told_time
from minizoo.display.scale import rough_duration
from minizoo.output import Column, Output, note

if TYPE_CHECKING:
    from harness.accuracy.dry_run import DryRun, PlannedTask

ABSENT = "–"
NUMBERS = {
    "shots": 3, "documents": 4, "of total": 1, "requests": 2, "tokens": 5, "too long": 3, "published": 2,
    "min. detectable": 2, "time": 5,
}  # fmt: skip
"""Heading → how important the column is where a terminal is narrow."""
COLUMNS = [Column("task"), *(Column(heading, True, importance) for heading, importance in NUMBERS.items())]


def show_dry_run(output: Output, plan: DryRun, results: Path, told_reasons: bool, probes: bool) -> dict[str, Any]:
    """A row a task; ≈ marks an estimate. `told_reasons`: say of all that is missing why. `probes`: run the model for a while
    where no run tells its pace. Returns the plan's JSON document, which it does not print."""
    from harness.accuracy.dry_run import TEMPLATE

    for told in plan.notes:
        note(told)
    if plan.missing:
        note(f"Estimated where not at hand: {', '.join(plan.missing)}. --tokenizer and --data give exact numbers.")
    for what, reason in plan.missing.items():
        if told_reasons or what == TEMPLATE:
            note(f"{what}: {reason}")
    estimate = estimated(plan, results, probes, output.as_json)
    if not output.as_json:
        rows = [[*_row(task), _time(estimate.seconds[task.task])] for task in plan.tasks]
        output.table(COLUMNS, rows, f"{plan.model.shown}, suite {plan.suite.name}: what would run")
        time = told_time(plan, estimate, results, probes)
        for line in (_totals(plan.tasks), *told_memory(plan.memory), *time, *_footnotes(plan.tasks)):
            output.text(line)
    return {
        "model": plan.model.shown,
        "suite": plan.suite.name,
        "tasks": [{**asdict(task), "seconds": estimate.seconds[task.task]} for task in plan.tasks],
        "missing": {what: str(reason) for what, reason in plan.missing.items()},
        "time": {
            "seconds": estimate.total,
            "at_most": estimate.at_most,
            "basis": estimate.basis,
            "basis_kind": estimate.source,
            "kinds": dict(estimate.sources),
            "unknown": estimate.unknown,
            "place": asdict(plan.place) if plan.place else None,
        },
        "memory": memory_document(plan.memory),
    }


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"≈ {rough_duration(seconds, '')}" if seconds >= 60 else "< 1 min"


def _row(task: PlannedTask) -> list[str]:
    return [
        task.task,
        _number(task.shots, ABSENT),
        _number(task.documents),
        _number(task.documents_total),
        _number(task.requests),
        f"{_about(task)}{_number(task.tokens)}",
        "?" if task.truncated is None else _number(task.truncated or None, ABSENT),
        ABSENT if task.published is None else f"{task.published:g}",
        _detectable(task),
    ]


def _totals(tasks: Sequence[PlannedTask]) -> str:
    known = [task for task in tasks if task.tokens is not None and task.requests is not None]
    about = "≈ " if any(map(_about, known)) else ""
    requests, tokens = sum(task.requests or 0 for task in known), sum(task.tokens or 0 for task in known)
    unknown = len(tasks) - len(known)
    rest = f", and {unknown} tasks that cannot be estimated" if unknown else ""
    return f"{about}{requests:,} requests, {about}{tokens:,} tokens at most{rest}."


def _footnotes(tasks: Sequence[PlannedTask]) -> Iterator[str]:
    for basis in dict.fromkeys(task.tokens_basis for task in tasks if task.tokens_basis):
        yield f"≈ estimated by {basis}: {', '.join(task.task for task in tasks if task.tokens_basis == basis)}."
    yield (
        "'min. detectable': the smallest difference of two such runs that would show (95 % confidence, 80 % power, "
        "unpaired)."
    )
    for task in tasks:
        if task.shared_units:
            yield f"≥ {task.task}: several documents share one {task.shared_units}, so it is more than shown."
    sources = dict.fromkeys(task.published_in for task in tasks if task.published_in)
    if sources:
        yield f"'published': with these shots, in {', '.join(map(str, sources))}."
    for task in tasks:
        if task.assumed:
            yield f"assumed for {task.task}: {'; '.join(task.assumed)}."


def _detectable(task: PlannedTask) -> str:
    if task.detectable_difference is None:
        return ABSENT
    return f"{'≥ ' if task.shared_units else ''}{100 * task.detectable_difference:.1f} points"


def _about(task: PlannedTask) -> str:
    return "≈ " if task.tokens_basis and task.tokens is not None else ""


def _number(value: int | None, absent: str = "?") -> str:
    return absent if value is None else f"{value:,}"
