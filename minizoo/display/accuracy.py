"""What `minizoo eval` shows: the plan of a dry run, the scores of a run, and the published scores beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from minizoo.output import Column, Output, note
from zoo.errors import EnvironmentIssue

if TYPE_CHECKING:
    from harness.accuracy.dry_run import Forecast
    from harness.records.record import MetricScore, Record

ABSENT = "–"


def show_forecasts(output: Output, rows: Sequence[Forecast], title: str) -> None:
    """A row a task; ≈ marks an estimate, and what it rests on follows the table."""
    columns = [Column("task"), *(Column(h, True) for h in ("shots", "documents", "of", "requests", "tokens"))]
    columns += [Column("too long", True), Column("published", True), Column("detects", True)]
    output.table(columns, [_forecast(row) for row in rows], title)
    known = [row for row in rows if row.tokens is not None and row.requests is not None]
    about = "≈ " if any(row.tokens_basis for row in known) else ""
    requests, tokens = sum(row.requests or 0 for row in known), sum(row.tokens or 0 for row in known)
    rest = f", and {len(rows) - len(known)} tasks that cannot be estimated" if len(known) < len(rows) else ""
    output.text(f"{about}{requests:,} requests, {about}{tokens:,} tokens at most{rest}.")
    bases: dict[str, list[str]] = {}
    for row in rows:
        if row.tokens_basis:
            bases.setdefault(row.tokens_basis, []).append(row.task)
    for basis, tasks in bases.items():
        output.text(f"≈ estimated by {basis}: {', '.join(tasks)}.")
    output.text(
        "'detects': the smallest difference of two such runs that would show (95 % confidence, 80 % power, unpaired)."
    )
    for row in rows:
        if row.shared_units:
            output.text(f"≥ {row.task}: several documents share one {row.shared_units}, so it is more than shown.")
    sources = dict.fromkeys(row.published_in for row in rows if row.published_in)
    if sources:
        output.text(f"'published': with these shots, in {', '.join(map(str, sources))}.")
    for row in rows:
        if row.assumed:
            output.text(f"assumed for {row.task}: {'; '.join(row.assumed)}.")


def show_scores(output: Output, records: Sequence[Record], title: str) -> None:
    """Values as lm-eval prints them: shares between 0 and 1, perplexities in their own unit. A group stands for its members."""
    members = {task for record in records for task in record.members}
    left_out = sum(record.task in members for record in records)
    records = [record for record in records if record.task not in members]
    drawn = any(score.draws for record in records for score in record.scores)
    columns = [Column("task"), Column("metric"), Column("filter"), Column("shots", True), Column("value", True)]
    columns += [Column("stderr", True), Column("95 % interval", True), Column("chance", True), Column("n", True)]
    columns += [Column("few-shot sd", True)] if drawn else []
    output.table(columns, [_score(r, s, drawn) for r in records for s in r.scores], title)
    if left_out:
        output.text(f"{left_out} tasks that a group stands for are in --json and in the view scores.")


def cut_prompts(records: Sequence[Record]) -> dict[str, int]:
    """Prompts that were cut to fit, by task; a group's are counted once, under the widest group."""
    groups = [set(record.members) for record in records]
    return {
        record.task: record.counts.truncated
        for record in records
        if record.counts and record.counts.truncated
        and not any(set(record.members or [record.task]) < group or record.task in group for group in groups)
    }  # fmt: skip


def or_note(read: Callable[[], list[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """What `read` gives; a database that cannot be had now costs this table and nothing else: the records are there."""
    try:
        return read()
    except (EnvironmentIssue, OSError) as fault:
        note(f"Published beside measured is not shown: {fault}")
        return []


def show_beside(output: Output, rows: Sequence[Mapping[str, Any]]) -> None:
    """The view `reproduction`, a row a measured score; nothing where nothing is published."""
    if not rows:
        return
    from harness.store.reproduction import verdict_words

    columns = [Column("task"), Column("metric"), Column("shots", True), Column("n", True), Column("measured", True)]
    columns += [Column("published", True), Column("difference", True), Column("95 % interval", True)]
    columns += [Column("margin", True), Column("verdict"), Column("source")]
    output.text()
    output.table(columns, [_beside(row, verdict_words(row)) for row in rows], "Beside the published scores")
    for basis in dict.fromkeys(row["margin_basis"] for row in rows if row["margin_basis"] != "one point"):
        tasks = ", ".join(dict.fromkeys(row["task"] for row in rows if row["margin_basis"] == basis))
        output.text(f"margin by {basis}: {tasks}.")
    output.text(
        "The interval is of what all documents of the task would give, less the published figure with its rounding."
    )


def number(value: float | None) -> str:
    """Four decimals, as lm-eval prints."""
    return ABSENT if value is None else f"{value:.4f}"


def _forecast(row: Forecast) -> list[str]:
    about = "≈ " if row.tokens_basis else ""
    detects = ABSENT
    if row.detectable_difference is not None:
        detects = f"{'≥ ' if row.shared_units else ''}{100 * row.detectable_difference:.1f} points"
    return [
        row.task, ABSENT if row.shots is None else str(row.shots), _count(row.documents), _count(row.documents_total),
        _count(row.requests), "?" if row.tokens is None else f"{about}{row.tokens:,}",
        "?" if row.truncated is None else _count(row.truncated or None, ABSENT),
        ABSENT if row.published is None else f"{row.published:g}", detects,
    ]  # fmt: skip


def _score(record: Record, score: MetricScore, drawn: bool) -> list[str]:
    interval = ABSENT if score.lower is None else f"{score.lower:.4f} – {score.upper:.4f}"
    cells = [
        record.task, score.metric, score.filter, ABSENT if record.shots is None else str(record.shots),
        number(score.value), number(score.stderr), interval, number(score.chance), f"{score.n:,}",
    ]  # fmt: skip
    if not drawn:
        return cells
    return [*cells, ABSENT if score.draws_sd is None else f"{score.draws_sd:.4f} of {len(score.draws)}"]


def _beside(row: Mapping[str, Any], verdict: str) -> list[str]:
    lower, upper = row["difference_lower"], row["difference_upper"]
    compared = row["verdict"] != "not comparable"
    interval = f"{lower:+.4f} – {upper:+.4f}" if compared and lower is not None and upper is not None else ABSENT
    metric = row["metric"] if row["filter"] == "none" else f"{row['metric']}, {row['filter']}"
    return [
        row["task"], metric, ABSENT if row["shots"] is None else str(row["shots"]), f"{row['n']:,}", number(row["measured"]),
        number(row["published"]), f"{row['difference']:+.4f}" if compared else ABSENT, interval,
        f"± {row['margin']:.4f}" if compared else ABSENT, verdict, row["origin"],
    ]  # fmt: skip


def _count(value: int | None, absent: str = "?") -> str:
    return absent if value is None else f"{value:,}"
