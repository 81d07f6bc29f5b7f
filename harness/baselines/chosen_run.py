"""The run that is to be a baseline: found by its id or the beginning of one, and refused where it cannot be one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.records.files import read_record
from harness.records.record import Record
from harness.store.scan import scan
from zoo.errors import BaselineRefused, ResultsMissing, UnknownRun, one_line
from zoo.files import json_object

OTHER = "Accept another run, or measure again."
MOST_NAMED = 3


@dataclass(frozen=True)
class ChosenRun:
    """A run with everything that it left in a results folder."""

    results: Path
    run_id: str
    records: tuple[tuple[Record, Path], ...]
    """Each with its folder."""
    unreadable: tuple[str, ...] = ()
    """Its records that cannot be read, each with why."""
    left: tuple[str, ...] = ()
    """Tasks that it had still to do when it ended, or has while it runs; empty where nothing tells of any."""

    @property
    def model(self) -> str:
        """What was measured, by the user's name for it or its id."""
        subject = self.records[0][0].subject
        return subject.name or subject.id


def choose_run(results: Path, word: str) -> ChosenRun:
    """The run of that id, or the only one whose id begins so. Nothing is written.

    ResultsMissing, UnknownRun; BaselineRefused, by its reason, for a run that cannot be a baseline.
    """
    if not results.is_dir():
        raise ResultsMissing(
            f"There is no results folder {results}.", "Run `minizoo eval` first, or give --results DIR."
        )
    finished, unfinished = {found.run_id: found.records for found in scan(results)}, _unfinished(results)
    run_id = _named(word, sorted(finished.keys() | unfinished.keys()), results)
    records: list[tuple[Record, Path]] = []
    unreadable: list[str] = []
    for path in finished.get(run_id, []):
        try:
            records.append((read_record(path), path.parent))
        except (OSError, ValueError) as error:
            unreadable.append(f"{path.relative_to(results)} cannot be read ({one_line(error)})")
    tasks = [record.task for record, _ in records]
    left = _still_to_do(records) or tuple(task for task in unfinished.get(run_id, ()) if task not in tasks)
    if run_id in unfinished and not left:
        left = ("what is in results/partial",)
    chosen = ChosenRun(results, run_id, tuple(records), tuple(unreadable), left)
    for refusal, hint in REFUSALS:
        if why := refusal(chosen):
            raise BaselineRefused(f"Run {run_id} cannot be a baseline: {why}.", hint)
    return chosen


def _named(word: str, known: Sequence[str], results: Path) -> str:
    found = [run_id for run_id in known if word and run_id.startswith(word.lower())]
    if len(found) == 1 or word in found:
        return word if word in found else found[0]
    if not found:
        raise UnknownRun(
            f"There is no run '{word}' in {results}.",
            "`minizoo eval` prints its run's id; the view `runs` of the database lists them all.",
        )
    named = ", ".join(found[:MOST_NAMED]) + (" …" if len(found) > MOST_NAMED else "")
    raise UnknownRun(f"{word} is the beginning of {len(found)} runs in {results}: {named}.", "Give more of it.")


def _unfinished(results: Path) -> dict[str, tuple[str, ...]]:
    """Runs that were interrupted, or are running: `results/partial/<key>-<run id>/run.json` → the tasks that they have."""
    found = [json_object(path) for path in sorted(results.glob("partial/*/run.json"))]
    return {str(run["run_id"]): tuple(map(str, run.get("tasks") or ())) for run in found if "run_id" in run}


def _still_to_do(records: Sequence[tuple[Record, Path]]) -> tuple[str, ...]:
    """Tasks of the run's suite that it left no record of.

    A name that stands for several tasks without a score of their own (a tag) leaves records of other names: where there are
    such, nothing can be told.
    """
    listed = {record.task for record, _ in records}
    named = [
        task["task"] for record, _ in records[:1] for task in record.resolved_suite.get("tasks") or () if "task" in task
    ]
    below = {member for record, _ in records for member in record.members}
    return tuple(task for task in named if task not in listed) if listed <= {*named, *below} else ()


def _interrupted(run: ChosenRun) -> str | None:
    more = f" and {len(run.left) - MOST_NAMED} more" if len(run.left) > MOST_NAMED else ""
    return f"it was interrupted before it had {', '.join(run.left[:MOST_NAMED])}{more}" if run.left else None


def _unreadable(run: ChosenRun) -> str | None:
    return run.unreadable[0] if run.unreadable else None


def _elsewhere(run: ChosenRun) -> str | None:
    words = {"imported": "was imported from another tool", "contributed": "was contributed by another machine"}
    return next((f"{record.task} {words[record.source]}" for record, _ in run.records if record.source in words), None)


FAILURES = {"failed": " failed", "infra_failed": ": its surroundings failed", "unverified": " is unverified"}
"""Status of a record → what is said behind its task."""


def _failed(run: ChosenRun) -> str | None:
    for record, _ in run.records:
        if record.status != "ok":
            said = f"{record.task}{FAILURES[record.status]}"
            return f"{said} ({one_line(ValueError(record.reason or record.code or 'no reason is recorded'))})"
    return None


def _invalid_speed(run: ChosenRun) -> str | None:
    for record, _ in run.records:
        if record.speed is not None and not record.speed.validity.valid:
            reasons = "; ".join(reason.text for reason in record.speed.validity.reasons) or "no reason is recorded"
            return f"the speed of {record.task} is invalid ({reasons[:200]})"
    return None


def _nothing(run: ChosenRun) -> str | None:
    there = any(record.speed is not None or record.scores for record, _ in run.records)
    return None if there else "it has neither a score nor a speed"


REFUSALS: tuple[tuple[Callable[[ChosenRun], str | None], str], ...] = (
    (_unreadable, "`minizoo db check` lists such records; accept another run."),
    (_interrupted, "Run the same command again, which goes on from there, and accept that run."),
    (_elsewhere, "Accept a run that this minizoo measured."),
    (_failed, f"Mend what failed. {OTHER}"),
    (_invalid_speed, OTHER),
    (_nothing, OTHER),
)
"""Why a run is refused, in words, and what to do then; in the order in which they are told."""
