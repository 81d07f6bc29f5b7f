"""How baselines are shown: what was accepted, and what a file of them holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minizoo.output import Column, Output, note

if TYPE_CHECKING:
    from harness.baselines.accept import Accepted
    from harness.baselines.file import Baseline
    from harness.records.record import Record
    from zoo.errors import MinizooError

COLUMNS = (
    Column("baseline", importance=9),
    Column("model", importance=4),
    Column("run", importance=5),
    Column("tasks", True, 3),
    Column("accepted", importance=6),
    Column("by", importance=6),
    Column("reason", importance=7),
    Column("bundle", True, 2),
    Column("state", importance=8),
)


@dataclass(frozen=True)
class State:
    """A baseline, and what became of its bundle."""

    baseline: Baseline
    tasks: int | None
    """None where the bundle cannot be read."""
    problem: MinizooError | None


def states(baselines: Mapping[str, Baseline], folder: Path) -> list[State]:
    """Each baseline of a file in `folder`, its bundle read and checked."""
    return [_state(baseline, folder) for baseline in baselines.values()]


def _state(baseline: Baseline, folder: Path) -> State:
    from harness.baselines.read import read_outcomes
    from zoo.errors import BaselineAltered, BaselineMissing, NewerResults

    try:
        return State(baseline, len(read_outcomes(baseline, folder)), None)
    except (BaselineAltered, BaselineMissing, NewerResults) as error:
        return State(baseline, None, error)


def show_accepted(output: Output, accepted: Accepted) -> None:
    """What was accepted, how large its bundle is, and what it replaced."""
    baseline, records = accepted.baseline, [record for record, _ in accepted.run.records]
    tasks = "1 record" if len(records) == 1 else f"{len(records)} records"
    output.text(f"{baseline.name}: run {baseline.run}, {tasks}, accepted by {baseline.accepted_by}: {baseline.reason}")
    output.text(
        f"Bundle: {accepted.file.parent / baseline.bundle}, {kilobytes(baseline.bytes)} (sha256 {baseline.sha256})."
    )
    for line in _replaced(accepted):
        output.text(line)
    if limited := [record for record in records if record.limit is not None]:
        note(_limited(limited, len(records)))
    note(f"Commit {accepted.file} and the bundle together.")


def accepted_document(accepted: Accepted) -> dict[str, Any]:
    """What was accepted as a document has it."""
    return {
        "file": str(accepted.file),
        "baseline": accepted.baseline.model_dump(mode="json"),
        "tasks": [record.task for record, _ in accepted.run.records],
        "replaced": accepted.replaced.model_dump(mode="json") if accepted.replaced else None,
        "removed": str(accepted.removed) if accepted.removed else None,
    }


def show_list(output: Output, file: Path, found: Sequence[State]) -> None:
    """A line a baseline, then a sentence for each bundle that is not as it was accepted."""
    if not found:
        output.text(f"{file} has no baseline.")
        return
    output.table(COLUMNS, [_row(state) for state in found])
    for state in found:
        if state.problem is not None:
            note(f"{state.problem}")


def list_document(file: Path, found: Sequence[State]) -> dict[str, Any]:
    """The baselines of a file as a document has them."""
    return {
        "file": str(file),
        "baselines": [
            state.baseline.model_dump(mode="json")
            | {"tasks": state.tasks, "state": _word(state), "problem": str(state.problem) if state.problem else None}
            for state in found
        ],
    }


def kilobytes(size: int) -> str:
    """A file's size for people: `84.1 kB`."""
    return f"{size / 1000:,.1f} kB"


def _row(state: State) -> list[str]:
    baseline = state.baseline
    return [
        baseline.name, baseline.model, baseline.run, "–" if state.tasks is None else str(state.tasks),
        f"{baseline.accepted_at:%Y-%m-%d}", baseline.accepted_by, baseline.reason, kilobytes(baseline.bytes), _word(state),
    ]  # fmt: skip


def _word(state: State) -> str:
    return "whole" if state.problem is None else state.problem.code.removeprefix("baseline-")


def _replaced(accepted: Accepted) -> Iterator[str]:
    before = accepted.replaced
    if before is None:
        return
    when = f"on {before.accepted_at:%Y-%m-%d} by {before.accepted_by}: {before.reason}"
    if before.run == accepted.baseline.run:
        yield f"It was accepted before, {when}"
    else:
        model = "" if before.model == accepted.baseline.model else f" of {before.model}"
        yield f"It replaces run {before.run}{model}, accepted {when}"
    if accepted.removed is not None:
        yield f"Removed: {accepted.removed}, which nothing else names."


def _limited(limited: Sequence[Record], of: int) -> str:
    first = limited[0]
    counted = f"{first.counts.documents:,} of {first.counts.documents_total:,}" if first.counts else "a part"
    return f"{len(limited)} of {of} records are of a part of the documents (--limit): {first.task} of {counted}."
