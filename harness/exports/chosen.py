"""Which records are exported: those of a run, the newest of a model, or the newest of every model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.records.files import folder_name, run_folder
from harness.records.record import Record
from harness.store.query import Reader
from zoo.errors import NothingRecorded, UnknownModel, UnknownRun
from zoo.names import unknown
from zoo.registry.loader import load_registry

SHORTEST_PREFIX = 6
"""Characters of a run's id that may name it."""
SCORED = (
    "r.status = 'ok' AND EXISTS (FROM metrics m WHERE m.run_id = r.run_id AND m.task = r.task AND m.value IS NOT NULL)"
)
ROWS = f"SELECT r.run_id, r.task, r.model, r.record FROM records r WHERE {SCORED}"
NEWEST = """
QUALIFY row_number() OVER (
  PARTITION BY r.model, r.source, r.suite, r.task, r.shots, r."limit", r.backend, r.device, r.gpu, r.dtype, r.compute_dtype
  ORDER BY r.finished_at DESC, r.run_id DESC) = 1
"""
"""The newest good result of each circumstance, as the view latest_valid has it, of other sources as well: a newer failure
hides nothing, and a part of the documents stands beside the whole."""
ORDER = " ORDER BY model, run_id, task"
OF_NAME = """(lower(?) IN (lower(r.model), lower(r.given_name)) OR lower(r.subject) = lower(?)
              OR (r.kind = 'folder' AND r.location = ?))"""
FAILED = """
SELECT r.run_id, r.task, r.code, r.reason FROM records r
WHERE r.status <> 'ok' AND r.run_id IN (SELECT unnest(?::VARCHAR[]))
  AND NOT EXISTS (FROM speed_points p WHERE p.run_id = r.run_id AND p.task = r.task)
ORDER BY r.run_id, r.task
"""


@dataclass(frozen=True)
class Chosen:
    """A record to export."""

    model: str
    """As the store shows it."""
    record: Record
    samples: Path
    """Where its samples are, if it has any."""


@dataclass(frozen=True)
class Failed:
    """A task of one of those runs that has no score."""

    run_id: str
    task: str
    reason: str


@dataclass(frozen=True)
class Selection:
    """What a word means, in the order of models, runs and tasks."""

    records: tuple[Chosen, ...]
    failed: tuple[Failed, ...] = ()


def choose(results: Path, word: str | None, public: Callable[[Record], Record] = lambda record: record) -> Selection:
    """The records of accuracy that `word` means: a run by its id or the beginning of one, or a model by any of its names, its
    newest results; None means the newest of every model. `public` makes each record as it may leave the machine.

    A group comes with its tasks, of its own run. Raises NothingRecorded where there is no score of it, UnknownModel for a word
    that is nothing, UnknownRun for the beginning of several runs, and what opening the results raises.
    """
    reader = Reader(results)
    rows = _rows(reader, word)
    if not rows:
        raise _nothing(reader, results, word)
    rows = _with_members(reader, rows)
    chosen = tuple(_chosen(results, row, public) for row in rows)
    runs = sorted({row["run_id"] for row in rows})
    failed = reader.rows(FAILED, [runs])
    return Selection(chosen, tuple(Failed(row["run_id"], row["task"], row["reason"] or row["code"]) for row in failed))


def _rows(reader: Reader, word: str | None) -> list[dict[str, Any]]:
    if word is None:
        return reader.rows(ROWS + NEWEST + ORDER)
    if len(word) >= SHORTEST_PREFIX and set(word.lower()) <= set("0123456789abcdef-"):
        runs = reader.rows(
            "SELECT DISTINCT run_id FROM records WHERE starts_with(run_id, ?) ORDER BY 1", [word.lower()]
        )
        if len(runs) > 1:
            told = ", ".join(row["run_id"] for row in runs[:4])
            raise UnknownRun(f"{word} is the beginning of {len(runs)} runs: {told}.", "Give more of it.")
        if runs:
            return reader.rows(f"{ROWS} AND r.run_id = ?{ORDER}", [runs[0]["run_id"]])
    known = load_registry().find(word)
    names = [word, known.id if known else word, str(Path(word).expanduser().resolve())]
    found = reader.rows(f"{ROWS} AND {OF_NAME}{NEWEST}{ORDER}", names)
    return [row for row in found if row["model"] == word] or found


def _with_members(reader: Reader, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows, and of a group's run the rows of its tasks, which may be older than another run's."""
    known = {(row["run_id"], row["task"]): row for row in rows}
    groups = {run_id for (run_id, _), row in known.items() if Record.model_validate_json(row["record"]).members}
    for run_id in sorted(groups):
        of_run = reader.rows(f"{ROWS} AND r.run_id = ?", [run_id])
        members = {
            member for row in of_run for member in Record.model_validate_json(row["record"]).members
            if (run_id, row["task"]) in known
        }  # fmt: skip
        known |= {(run_id, row["task"]): row for row in of_run if row["task"] in members}
    return sorted(known.values(), key=lambda row: (row["model"], row["run_id"], row["task"]))


def _chosen(results: Path, row: Mapping[str, Any], public: Callable[[Record], Record]) -> Chosen:
    record = Record.model_validate_json(row["record"])
    folder = run_folder(results, record.run_id) / folder_name(record.task)
    return Chosen(row["model"], public(record), folder / "samples.parquet")


def _nothing(reader: Reader, results: Path, word: str | None) -> Exception:
    """Why there is nothing to export, and what to run."""
    if word is None:
        return NothingRecorded(f"There is no score in {results}.", "Run `minizoo eval MODEL` first.")
    known = load_registry().find(word)
    if known is not None:
        return NothingRecorded(
            f"There is no score of {known.id} in {results}.", f"Run `minizoo eval {known.id}` first."
        )
    names: Iterable[str] = (row["model"] for row in reader.rows("SELECT DISTINCT model FROM records ORDER BY 1"))
    listing = "Name a model of the results folder or a run by its id; without a word everything is exported."
    return unknown(UnknownModel, "model or run", word, [*load_registry().names(), *names], listing)
