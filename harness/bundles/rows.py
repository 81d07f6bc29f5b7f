"""What a record in a bundle must be, beyond the form of a record: a row that the machine which packed it measured."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness.bundles.manifest import AGAIN
from harness.metrics.speed_metrics import load_metrics
from harness.records.files import folder_name, run_folder
from harness.records.record import Record
from zoo.errors import InvalidBundle

RUN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""A UUID version 7, as `harness.records.files.new_run_id` makes them."""
FIRST_TIME, LAST_TIME = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
LARGEST = 2**63 - 1
"""What a column of the database holds."""


def is_row(record: Record) -> bool:
    """Whether a record can be in a bundle at all: measured here, of speed or of scoring beside, done or failed by itself."""
    return record.source == "measured" and _kind_is_one(record) and record.status in ("ok", "failed")


def check_row(record: Record, folder: str, tables: Collection[str], at: str) -> None:
    """InvalidBundle, beginning with `at`, for a record that no bundle has in that folder with those tables."""
    if folder != f"{record.run_id}/{folder_name(record.task)}":
        raise InvalidBundle(f"{at} is not of the run and task that its record is of.", AGAIN)
    for holds, words in RULES:
        if not holds(record):
            raise InvalidBundle(f"{at} {words}.", AGAIN)
    if record.speed is None and tables:
        raise InvalidBundle(f"{at} has a table that belongs to no such record.", AGAIN)
    if record.speed is not None and record.status == "ok" and "trials" not in tables:
        raise InvalidBundle(f"{at} has no trials, from which its figures could be derived again.", AGAIN)


def check_rows(records: Sequence[Record], where: str) -> None:
    """InvalidBundle for a bundle without a row, and for a comparison with a run that is not in it."""
    if not records:
        raise InvalidBundle(f"{where} holds no row.", "Nothing of it was taken: there is nothing in it.")
    runs = {record.run_id for record in records}
    for record in records:
        other = [one.against_run_id for one in record.speed.comparisons] if record.speed else []
        if not runs.issuperset(other):
            raise InvalidBundle(
                f"{where}: {record.task[:100]} is compared with a run that is not in the bundle.", AGAIN
            )


def _kind_is_one(record: Record) -> bool:
    return (record.speed is None) != (record.beside is None)


def _run_id_is_one(record: Record) -> bool:
    try:
        return RUN_ID.fullmatch(record.run_id) is not None and bool(run_folder(Path(), record.run_id))
    except (ValueError, OverflowError, OSError):  # a date beyond all calendars
        return False


def _is_own(record: Record) -> bool:
    return record.source == "measured" and record.contribution is None and record.imported is None


def _is_named(record: Record) -> bool:
    if record.speed is not None:
        return record.task == f"{record.speed.workload}.{record.speed.point}"
    return record.task.startswith("scoring.") and record.suite == "scoring"


def _times_are_told(record: Record) -> bool:
    times = [record.started_at, record.finished_at, *([record.run_started_at] if record.run_started_at else [])]
    return all(time.tzinfo is not None and FIRST_TIME <= time <= LAST_TIME for time in times)


def _metrics_are_known(record: Record) -> bool:
    facts = record.speed
    named = [*(facts.statistics if facts else ()), *(facts.comparisons if facts else ())]
    return all(one.metric in load_metrics() for one in named)


def _seeds_are_seeds(record: Record) -> bool:
    return all(0 <= one.seed <= LARGEST for one in (record.speed.comparisons if record.speed else ()))


RULES: tuple[tuple[Callable[[Record], bool], str], ...] = (
    (_run_id_is_one, "has an id that no run has"),
    (_is_own, "was not measured by the minizoo that packed it"),
    (_kind_is_one, "is neither a speed nor scoring beside another engine"),
    (lambda record: not record.scores, "has scores of an evaluation"),
    (lambda record: record.status in ("ok", "failed"), "is of a run that broke off"),
    (_is_named, "is not called as its kind of row is"),
    (_times_are_told, "has a time without a zone, or one beyond any clock"),
    (_metrics_are_known, "names a metric that this minizoo does not know"),
    (_seeds_are_seeds, "has a seed that is none"),
)
"""What holds for every record in a bundle, and what is said where it does not."""
