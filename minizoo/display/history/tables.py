"""`minizoo history`: a table of series, a line a change below it, and the JSON of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.fleet.history.change_points import Change, Told
from harness.fleet.history.changed import in_words
from harness.fleet.history.series import Figure, Series, hardware_of
from minizoo.output import Column, Output
from reports.pages.history.words import KINDS, change_words

COLUMNS = (
    Column("Model", importance=9), Column("Task or workload", importance=8), Column("Metric", importance=7),
    Column("Kind", importance=3), Column("Backend", importance=4), Column("Hardware", importance=5),
    Column("Figures", number=True, importance=4), Column("First", number=True, importance=2),
    Column("Last", number=True, importance=6), Column("Changes", importance=7),
)  # fmt: skip


def show_history(output: Output, found: Sequence[Told]) -> None:
    """Every series, and of each change the nights on its two sides and what was another."""
    if output.as_json:
        output.document("history", {"series": [_document(one) for one in found]})
        return
    if not found:
        output.text("No figures of that choice. `minizoo eval` and `minizoo nightly` make them.")
        return
    output.table(COLUMNS, [_row(one) for one in found], "Series over nights")
    for one in found:
        for change in one.changes:
            output.text(_sentence(one.series, change))


def _sentence(series: Series, change: Change) -> str:
    key, words = series.key, change_words(change, series.key.kind)
    before, after = _when(change.before), _when(change.after)
    nights = f"last good night {before}, first bad night {after}" if change.is_worse else f"from {before} to {after}"
    return (
        f"{key.model}, {key.task}, {key.metric} on {hardware_of(key)}: {words}, {nights} (p = {change.p_value:.1g}); "
        f"changed in between: {in_words(change.changed)}."
    )


def _row(one: Told) -> list[str]:
    key, figures = one.series.key, one.series.figures
    changes = ", ".join(
        f"{change_words(change, key.kind)} {change.after.finished_at:%Y-%m-%d}" for change in one.changes
    )
    return [
        key.model, key.task, key.metric if key.filter == "none" else f"{key.metric} ({key.filter})",
        KINDS.get(key.kind, key.kind), key.backend or "", hardware_of(key), str(len(figures)), f"{figures[0].value:.4g}",
        f"{figures[-1].value:.4g}", changes or (one.why_not or "none"),
    ]  # fmt: skip


def _when(figure: Figure) -> str:
    named = figure.night or figure.run_id
    return f"{figure.finished_at:%Y-%m-%d} ({named})" if named else f"{figure.finished_at:%Y-%m-%d}"


def _document(one: Told) -> dict[str, Any]:
    return {
        **one.series.key._asdict(), "axis": one.series.axis, "why_not": one.why_not,
        "figures": [_figure(figure) for figure in one.series.figures],
        "changes": [
            {
                "before": _figure(change.before), "after": _figure(change.after), "by": change.by, "worse": change.is_worse,
                "p_value": change.p_value, "nights_before": change.nights_before, "nights_after": change.nights_after,
                "changed": change.changed,
            }
            for change in one.changes
        ],
    }  # fmt: skip


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "night": figure.night, "run_id": figure.run_id, "finished_at": figure.finished_at.isoformat(), "value": figure.value,
        "lower": figure.lower, "upper": figure.upper, "n": figure.n, "at": figure.at,
    }  # fmt: skip
