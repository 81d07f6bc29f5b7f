"""What `minizoo eval` shows of a run: its scores, and the published scores beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from minizoo.display.scale import duration
from minizoo.display.tables import show_table
from minizoo.output import Output, note
from zoo.errors import EnvironmentIssue

if TYPE_CHECKING:
    from harness.accuracy.run import EvalOutcome
    from harness.records.record import Record

T = TypeVar("T")


def show_outcome(output: Output, outcome: EvalOutcome, results: Path) -> dict[str, Any]:
    """The run's scores, the published ones beside them, and what else is to be known of the run. Returns the run's JSON
    document, which it does not print."""
    from harness.records.derived import described
    from harness.store.reproduction import of_run

    published = or_note(lambda: of_run(results, outcome.run_id))
    if not output.as_json:
        first = outcome.records[0]
        setting = first.setting
        called = first.subject.name or first.subject.id
        show_scores(output, outcome.records, f"{called} on {first.suite} ({setting.backend}, {setting.precision})")
        show_beside(output, published)
        _note_run(outcome)
        output.text(_wall_time(outcome))
        output.text(f"Records: {results}/runs (run {outcome.run_id}).  Page: minizoo report --out DIR")
    for line in dict.fromkeys(filter(None, map(_doubt, outcome.records))):
        note(line)
    return {
        "run_id": outcome.run_id,
        "computed": outcome.computed,
        "reused": outcome.reused,
        "wall_s": outcome.wall_s,
        "records": [described(record) for record in outcome.records],
        "reproduction": published,
    }


def _wall_time(outcome: EvalOutcome) -> str:
    """Of each task, a group for its members, and of the whole run."""
    members = {task for record in outcome.records for task in record.members}
    took = [
        f"{record.task} {duration(record.wall_s) if record.wall_s >= 1 else 'under 1 s'}"
        + (" (without what was answered before)" if record.counts and record.counts.reused else "")
        for record in outcome.records
        if record.wall_s and record.task not in members
    ]
    whole = "since the run was resumed" if outcome.reused else "in all"
    return f"Wall time: {', '.join([*took, f'{duration(outcome.wall_s)} {whole}'])}, with preparing and loading."


def show_scores(output: Output, records: Sequence[Record], title: str) -> None:
    """The scores of a run, a group for its members."""
    from reports.tables.scores import score_table

    show_table(output, score_table(records, title))


def cut_prompts(records: Sequence[Record]) -> dict[str, int]:
    """Prompts that were cut to fit, by task; a group's are counted once, under the widest group."""
    groups = [set(record.members) for record in records]
    return {
        record.task: record.counts.truncated
        for record in records
        if record.counts and record.counts.truncated
        and not any(set(record.members or [record.task]) < group or record.task in group for group in groups)
    }  # fmt: skip


def or_note(read: Callable[[], list[T]], lost: str = "Published beside measured is not shown") -> list[T]:
    """What `read` gives; a database that cannot be read now costs what is `lost` and nothing else: the records are there."""
    try:
        return read()
    except (EnvironmentIssue, OSError) as error:
        note(f"{lost}: {error}")
        return []


def show_beside(output: Output, rows: Sequence[Mapping[str, Any]]) -> None:
    """The view `reproduction`, a row a measured score; nothing where nothing is published."""
    if not rows:
        return
    from reports.tables.scores import beside_table

    output.text()
    show_table(output, beside_table(rows))


def _note_run(outcome: EvalOutcome) -> None:
    """On stderr: failures, cut prompts, how generated code was isolated, what was taken over."""
    from harness.records.record import SCORED

    for record in outcome.records:
        if record.reason and record.status != "unverified":
            note(f"{record.task}{'' if record.status in SCORED else ' failed'}: {record.reason}")
    if cut := cut_prompts(outcome.records):
        told = ", ".join(f"{task} {count:,}" for task, count in cut.items())
        note(f"Prompts cut on the left to fit the context: {told}.")
    for how in dict.fromkeys(record.isolation for record in outcome.records if record.isolation):
        note(f"Generated code ran under: {how}.")
    from harness.sandbox.packages import told

    for packages in dict.fromkeys(told(record.code_packages) for record in outcome.records if record.isolation):
        note(f"It could import {packages}.")
    if outcome.reused:
        note(f"{outcome.reused:,} answers taken over from an interrupted run, {outcome.computed:,} computed.")


def _doubt(record: Record) -> str | None:
    """What speaks against believing the record's backend; None where it passed conformance."""
    told, backend = record.conformance, record.setting.backend
    if told is None or told.state == "passed":
        return None
    if told.state == "unchecked":
        return f"Unchecked: it is not known whether backend {backend} gives right numbers for such a model ({told.reason})."
    model = record.subject.source if record.subject.kind == "folder" else record.subject.id
    return (
        f"UNVERIFIED: {record.reason}. The scores are recorded and stand in no view of valid results. "
        f"`minizoo conformance --backend {backend} --model {model}` shows every check."
    )
