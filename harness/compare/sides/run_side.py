"""A side from a results folder: one run, or the newest results of a model, a task each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.compare.items import ScoreKey, Side, TaskResult
from harness.compare.sides.samples import results_of
from harness.records.files import folder_name, run_folder
from harness.records.record import SCORED, Record
from harness.store.query import Reader, query
from zoo.errors import NotComparable
from zoo.registry.loader import load_registry

SHORTEST_PREFIX = 6
"""Characters of a run's id that may name it."""
MOST_NAMED = 3
"""Corrupt records that are named one by one."""
KNOWN = """
SELECT r.run_id, r.model, r.source, r.record, (r.run_id, r.task) IN (SELECT (run_id, task) FROM latest_valid) AS valid,
       (SELECT list({'path': path, 'reason': reason} ORDER BY path) FROM bad_records) AS bad
FROM records r
WHERE """
OF_RUN = f"{KNOWN} r.run_id = ? ORDER BY r.finished_at, r.task"
OF_MODEL = f"""{KNOWN}
lower(?) IN (lower(r.model), lower(r.given_name)) OR lower(r.subject) = lower(?) OR (r.kind = 'folder' AND r.location = ?)
ORDER BY r.finished_at, r.run_id, r.task"""

OF_NAME = """
WITH mine AS (
  SELECT r.run_id, r.task, r.finished_at, r.status, r.source, r."limit" IS NULL AND NOT coalesce(s.is_part, false) AS whole,
         (r.run_id, r.task) IN (SELECT (run_id, task) FROM latest_valid WHERE model = $name) AS valid
  FROM records r LEFT JOIN (SELECT run_id, task, bool_or(n < total) AS is_part FROM metrics GROUP BY run_id, task) s
       USING (run_id, task)
  WHERE r.model = $name
), newest AS (
  SELECT run_id FROM mine
  QUALIFY row_number() OVER (PARTITION BY task, status, source, valid, whole ORDER BY finished_at DESC, run_id DESC) = 1
)
SELECT r.run_id, r.model, r.source, r.record, m.valid FROM records r JOIN mine m USING (run_id, task)
WHERE r.model = $name AND r.run_id IN (SELECT run_id FROM newest) ORDER BY r.finished_at, r.run_id, r.task"""
"""Of a model by its shown name: the runs that are the newest in some way, which are all that may be chosen."""


class Row(NamedTuple):
    """A record of the store, in the order of time."""

    record: Record
    model: str
    """As it is shown."""
    source: str
    valid: bool
    """Whether it is among the results that count (the view latest_valid)."""


def runs_beginning(results: Path, word: str, reader: Reader | None = None) -> list[str]:
    """The ids of runs that begin with that word; none where it is too short to be one.

    Here and below, `reader` is one over the same results that has caught up already.
    """
    if len(word) < SHORTEST_PREFIX or not set(word.lower()) <= set("0123456789abcdef-") or not results.is_dir():
        return []
    sql = "SELECT DISTINCT run_id FROM records WHERE starts_with(run_id, ?) ORDER BY 1"
    rows = (reader or Reader(results)).rows(sql, [word.lower()])
    return [row["run_id"] for row in rows]


def run_side(word: str, results: Path, run_id: str, reader: Reader | None = None) -> Side:
    """All results of one run, unverified ones too: `Side.doubt` says so."""
    found = (reader or Reader(results)).rows(OF_RUN, [run_id])
    rows = _rows(found)
    good = [row for row in rows if _is_accuracy(row.record) and row.record.status in SCORED]
    return _side(word, results, rows, good, corrupt_records(results, found, run_id))


def model_side(word: str, results: Path, reader: Reader | None = None) -> Side | None:
    """The newest valid result of each task of a model, by any name it has; None where the folder has none of it.

    NotComparable where the name stands for several models: two folders, or two sets of weights.
    """
    if not results.is_dir():
        return None
    known = load_registry().find(word)
    names = [word, known.id if known else word, str(Path(word).expanduser().resolve())]
    found = (reader or Reader(results)).rows(OF_MODEL, names)
    exact = [row for row in found if row["model"] == word]
    rows = _rows(exact or found)
    if not rows:
        return None
    models = sorted({row.model for row in rows})
    if len(models) > 1:
        raise NotComparable(
            f"{word} stands for {len(models)} models in {results}: {', '.join(models)[:300]}.",
            "Name one of those, or a run by its id.",
        )
    good = [row for row in rows if row.valid or _is_imported(row.record)]
    return _side(
        word, results, rows, [row for row in good if _is_accuracy(row.record)], corrupt_records(results, found)
    )


def shown_side(name: str, results: Path, reader: Reader) -> Side | None:
    """As `model_side`, by the shown name alone, and without the records that newer ones of their kind stand before: of
    thousands of runs only a few are read. Notes name what cannot be read of those."""
    rows = _rows(reader.rows(OF_NAME.replace("$name", "?"), [name] * OF_NAME.count("$name")))
    good = [row for row in rows if _is_accuracy(row.record) and (row.valid or _is_imported(row.record))]
    return _side(name, results, rows, good, ()) if rows else None


def corrupt_records(results: Path, found: Sequence[Mapping[str, Any]], run_id: str = "") -> tuple[str, ...]:
    """Notes that name the records of the folder, or of one run, that cannot be read: they are in no comparison."""
    bad: list[dict[str, str]] = (found[0]["bad"] or []) if found else []
    told = [
        f"{results / row['path']} cannot be read ({row['reason']}): it is in no comparison"
        for row in bad
        if run_id in row["path"]
    ]
    more = [f"{len(told) - MOST_NAMED:,} more records cannot be read: `minizoo db check` names them"]
    return tuple(told[:MOST_NAMED] + (more if len(told) > MOST_NAMED else []))


def _rows(found: Iterable[Mapping[str, Any]]) -> list[Row]:
    return [Row(Record.model_validate_json(row["record"]), row["model"], row["source"], row["valid"]) for row in found]


def _side(word: str, results: Path, rows: Sequence[Row], good: Sequence[Row], notes: Sequence[str]) -> Side:
    """`rows` are all that is known of the side, in the order of time; results are chosen from `good`."""
    told = list(notes)
    found: dict[ScoreKey, TaskResult] = {}
    chosen = [row.record for row in best_of_each_task(good)]
    for record in chosen:
        folder = run_folder(results, record.run_id) / folder_name(record.task)
        made, problem = results_of(record, folder / "samples.parquet")
        found |= made
        if problem and not any(str(folder) in line for line in told):
            told.append(problem)
    failed = _failed(rows)
    return Side(
        word=word,
        kind="run",
        name=rows[-1].model,
        results=found,
        failed=failed,
        speed=tuple(row.record for row in rows if row.record.speed is not None),
        run_ids=tuple(dict.fromkeys(record.run_id for record in chosen)) or tuple({row.record.run_id for row in rows}),
        where=_where(chosen or [row.record for row in rows]),
        notes=tuple(dict.fromkeys([*told, *_passed_over(rows, good, chosen, failed)])),
    )


def best_of_each_task(rows: Sequence[Row]) -> list[Row]:
    """The newest of each task: what minizoo measured before what was imported, and the whole task before a part of it; a
    group's tasks from the group's own run, so that its number is theirs."""
    ranked = sorted(
        rows, key=lambda row: (row.source == "measured", is_whole(row.record))
    )  # stable: by time within each
    best = {row.record.task: row for row in ranked}
    groups = sorted((row for row in best.values() if row.record.members), key=lambda row: len(row.record.members))
    for group in groups:  # the widest last: its tasks are those of its number
        run = {row.record.task: row for row in rows if row.record.run_id == group.record.run_id}
        best |= {task: run[task] for task in group.record.members if task in run}
    return list(best.values())


def is_whole(record: Record) -> bool:
    """Whether all documents of the task were run, as far as the record tells."""
    counts = record.counts
    return record.limit is None and (counts is None or counts.documents >= counts.documents_total)


def _failed(rows: Sequence[Row]) -> dict[str, Record]:
    """Tasks of which the newest record has no numbers."""
    newest = {row.record.task: row.record for row in rows if _is_accuracy(row.record)}
    return {task: record for task, record in newest.items() if record.status not in SCORED}


def _is_imported(record: Record) -> bool:
    """Of accuracy, by another tool: taken where minizoo measured nothing."""
    return _is_accuracy(record) and record.status == "ok" and record.source == "imported"


def _is_accuracy(record: Record) -> bool:
    return record.speed is None and record.beside is None


def _where(records: Sequence[Record]) -> str:
    runs = sorted({record.run_id for record in records})
    if len(runs) == 1:
        return f"run {runs[0]} of {max(record.finished_at for record in records):%Y-%m-%d}"
    return f"{len(runs)} runs, the newest result of each task"


def _passed_over(
    rows: Sequence[Row], good: Sequence[Row], chosen: Sequence[Record], failed: Mapping[str, Record]
) -> list[str]:
    """Notes of records that are not compared: newer ones of a part of the documents or of a failure, and what is not valid."""
    newest = {row.record.task: row.record for row in good}
    found = [
        f"{record.task} is compared as run {record.run_id} has it, whole; the newer run {newest[record.task].run_id} "
        "has a part of its documents: name that run to compare it"
        for record in chosen
        if is_whole(record) and not is_whole(newest[record.task])
    ]
    latest = {row.record.task: row for row in rows if _is_accuracy(row.record)}
    found += [
        f"run {row.record.run_id} of {task} is unverified and not compared ({row.record.reason}): name that run to compare it"
        for task, row in latest.items()
        if row.record.status == "unverified" and row not in good
    ]
    found += [
        f"run {row.record.run_id} of {row.record.task} has no valid score ({row.record.reason or 'not finite'})"
        for row in rows
        if _is_accuracy(row.record) and row.record.status == "ok" and row.record.task not in newest
    ]
    return found + [
        f"the newest run of {record.task} failed ({failed[record.task].reason or failed[record.task].code}): "
        f"the result before it, of run {record.run_id}, is compared"
        for record in chosen
        if record.task in failed
    ]


def shown_names(results: Path) -> list[str]:
    """The models of a results folder, as they are shown."""
    return (
        [row["model"] for row in query(results, "SELECT DISTINCT model FROM records ORDER BY 1")]
        if results.is_dir()
        else []
    )
