"""The tables of scores that `minizoo eval`, `minizoo show` and the pages have in common: of a run, beside published ones, of
sources. Values as lm-eval prints them: accuracies from 0 to 1, perplexities in their own unit, four decimals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.records.trained_on import MARK, TRAINED_ON, was_trained_on
from reports.cells import ABSENT
from reports.tables.figures import finite
from reports.tables.table import Heading, Key, Table

if TYPE_CHECKING:
    from harness.records.record import MetricScore, Record

UNKNOWN = "unknown"
BASIS = "one point"
"""Of a margin, where nothing else was told."""
WHAT_THE_INTERVAL_IS = (
    "The interval is of what all documents of the task would give, less the published figure with its rounding."
)
SELECTED = "† this task was used to choose the model's shape: the score was not blind to the choice."


def score_table(records: Sequence[Record], title: str = "") -> Table:
    """The scores of a run. A group stands for its members, and a note says how many those are."""
    members = {task for record in records for task in record.members}
    shown = [record for record in records if record.task not in members]
    drawn = any(score.draws for record in shown for score in record.scores)
    headings = (
        Heading("task"), Heading("metric", importance=4), Heading("filter"), Heading("shots", True),
        Heading("value", True, 5), Heading("stderr", True), Heading("95 % interval", True, 3), Heading("chance", True, 2),
        Heading("n", True, 2), *((Heading("few-shot sd", True),) if drawn else ()),
    )  # fmt: skip
    marked = {record.task for record in shown if record.scores and was_trained_on(record)}
    pairs = [_score(record, score, drawn, record.task in marked) for record in shown for score in record.scores]
    left_out = len(records) - len(shown)
    notes = (f"{left_out} tasks that a group stands for are in --json and in the view scores.",) if left_out else ()
    notes += (TRAINED_ON,) if marked else ()
    return Table(title, headings, tuple(row for row, _ in pairs), [keys for _, keys in pairs], notes)


def beside_table(rows: Sequence[Mapping[str, Any]], title: str = "Beside the published scores") -> Table:
    """Rows of the view `reproduction`: a measured score beside the published one that it is best held against."""
    headings = (
        Heading("task"), Heading("metric", importance=4), Heading("shots", True), Heading("n", True),
        Heading("measured", True, 5), Heading("published", True, 5), Heading("difference", True, 3),
        Heading("95 % interval", True, 2), Heading("margin", True, 2), Heading("verdict", importance=5), Heading("source"),
    )  # fmt: skip
    bases = dict.fromkeys(row["margin_basis"] for row in rows if row["margin_basis"] not in (None, "", BASIS))
    notes = [f"margin by {basis}: {', '.join(_tasks_of(rows, basis))}." for basis in bases]
    pairs = [_beside(row) for row in rows]
    return Table(
        title,
        headings,
        tuple(cells for cells, _ in pairs),
        [keys for _, keys in pairs],
        (*notes, WHAT_THE_INTERVAL_IS) if rows else (),
    )


def published_table(scores: Sequence[Mapping[str, Any]], title: str = "Published scores") -> Table:
    """The published scores of a registry entry, as `zoo.registry.describe.facts` gives them, each with its source."""
    headings = (
        Heading("task"), Heading("value", True, 4), Heading("unit", importance=4), Heading("metric", importance=3),
        Heading("shots", True, 3), Heading("weights"), Heading("source", importance=2),
    )  # fmt: skip
    rows = tuple(_published(score) for score in scores)
    keys = [(s["task"], s["value"], s["unit"], s["metric"], s["shots"], s["revision"], s["source_id"]) for s in scores]
    signs = (("used_for_selection", SELECTED), ("trained_on", TRAINED_ON))
    notes = tuple(words for name, words in signs if any(score[name] for score in scores))
    return Table(title, headings, rows, keys, notes)


def number(value: float | None) -> str:
    """Four decimals, as lm-eval prints."""
    return ABSENT if finite(value) is None else f"{value:.4f}"


def _score(record: Record, score: MetricScore, drawn: bool, marked: bool) -> tuple[tuple[str, ...], tuple[Key, ...]]:
    from harness.records.derived import estimate

    made = estimate(score)
    task = f"{record.task} {MARK}" if marked else record.task
    cells = (
        task, score.metric, score.filter, _shots(record.shots), number(score.value), number(made.stderr),
        ABSENT if made.lower is None else f"{made.lower:.4f} – {made.upper:.4f}", number(score.chance), f"{score.n:,}",
    )  # fmt: skip
    keys = (
        record.task, score.metric, score.filter, record.shots, score.value, made.stderr, made.lower, score.chance, score.n,
    )  # fmt: skip
    if not drawn:
        return cells, keys
    spread = score.draws_sd
    return (*cells, ABSENT if spread is None else f"{spread:.4f} of {len(score.draws)}"), (*keys, spread)


def _beside(row: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[Key, ...]]:
    from harness.store.reproduction import verdict_words

    lower, upper = row["difference_lower"], row["difference_upper"]
    compared, words = row["verdict"] != "not comparable", verdict_words(row)
    metric = row["metric"] if row["filter"] == "none" else f"{row['metric']}, {row['filter']}"
    cells = (
        row["task"], metric, _shots(row["shots"]), f"{row['n']:,}", number(row["measured"]), number(row["published"]),
        f"{row['difference']:+.4f}" if compared else ABSENT,
        f"{lower:+.4f} – {upper:+.4f}" if compared and lower is not None and upper is not None else ABSENT,
        f"± {row['margin']:.4f}" if compared else ABSENT,
        words, row["origin"],
    )  # fmt: skip
    difference = (row["difference"], lower, row["margin"]) if compared else (None, None, None)
    measured = (row["n"], row["measured"], row["published"])
    return cells, (row["task"], metric, row["shots"], *measured, *difference, words, row["origin"])


def _published(score: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        score["task"] + (" †" if score["used_for_selection"] else "") + (f" {MARK}" if score["trained_on"] else ""),
        f"{score['value']:g}",
        score["unit"] + (", normalised" if score["scale"] == "chance_normalised" else ""),
        ", ".join(filter(None, (score["metric"], score["filter"]))) or UNKNOWN,
        UNKNOWN if score["shots"] is None else str(score["shots"]),
        score["revision"] or ABSENT,
        f"{score['source_id']}{', ' + score['where'] if score['where'] else ''}",
    )


def _tasks_of(rows: Sequence[Mapping[str, Any]], basis: str) -> list[str]:
    return list(dict.fromkeys(row["task"] for row in rows if row["margin_basis"] == basis))


def _shots(shots: int | None) -> str:
    return ABSENT if shots is None else str(shots)
