"""What was found of measured scores beside published ones."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from harness.compare.items import ScoreKey
from harness.store.query import Reader
from harness.store.reproduction import beside, verdict_words

REPRODUCTION = (
    "SELECT * FROM reproduction WHERE run_id IN (SELECT unnest(?)) ORDER BY run_id, task, metric, filter, origin"
)


@dataclass(frozen=True)
class Verdict:
    """The verdict in a word, and a note of what it rests on where it is not that the score was reproduced."""

    word: str
    note: str


Verdicts = dict[tuple[str, ScoreKey], Verdict]
"""(run, score) → the verdict on the published score that it is best held against."""


def verdicts_of(reader: Reader, runs: Collection[str]) -> Verdicts:
    """The verdicts on the scores of those runs."""
    rows = beside(reader.rows(REPRODUCTION, [sorted(runs)])) if runs else []
    return {
        (row["run_id"], ScoreKey(row["task"], row["metric"], row["filter"])): Verdict(
            row["verdict"],
            ""
            if row["verdict"] == "reproduced"
            else f"{row['origin']} prints {row['printed']:g}: {verdict_words(row)}",
        )
        for row in rows
    }
