"""Taking bundles in: their rows become records marked as contributed; of each bundle all of them, or none.

A row keeps its figures, whatever they are. One that cannot be believed (`harness.bundles.plausible`) is stored as invalid, with
the reason: it is seen that somebody gave it, and nothing is derived from it.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.bundles.manifest import AGAIN, Manifest
from harness.bundles.plausible import doubts
from harness.bundles.rehearsal import rehearse
from harness.bundles.tables import read_table
from harness.bundles.unpack import Bundle, BundledRecord, read_bundle
from harness.records.files import folder_name, read_record, run_folder, write_record
from harness.records.record import Contribution, Record
from harness.records.speed_record import Reason
from harness.store.query import query
from harness.store.scan import RunFolder
from zoo.errors import InvalidBundle, MinizooError, NotWritable, one_line
from zoo.files import check_writable

Key = tuple[str, str]
"""Run and task of a record."""
BEFORE = """
SELECT run_id FROM records
WHERE source = 'contributed' AND json_extract_string(record, '$.contribution.sha256') = ? LIMIT 1"""


@dataclass(frozen=True)
class TakenBundle:
    """What became of a bundle."""

    path: Path
    manifest: Manifest
    sha256: str
    records: tuple[Record, ...]
    """As they are stored, or would be where a bundle is only checked."""
    doubts: Mapping[Key, tuple[Reason, ...]] = field(default_factory=dict[Key, tuple[Reason, ...]])
    """By run and task: why a row cannot be believed; rows without a doubt are not in it."""
    before: bool = False
    """The same file was imported before, and nothing was added."""
    left_out: tuple[str, ...] = ()
    """Rows that were not stored and why, in sentences."""


@dataclass(frozen=True)
class CheckedBundle:
    """A bundle that was read and validated, with its rows as they will be stored."""

    taken: TakenBundle
    rows: tuple[BundledRecord, ...]


def take(paths: Sequence[Path], results: Path | None) -> list[TakenBundle]:
    """Read and validate every bundle, then store their rows; with `results=None` nothing is stored.

    Raises InvalidBundle, BundleAltered or FileMissing for one that cannot be taken: then nothing of any is stored.
    NotWritable where the results cannot be written: then nothing of that bundle is.
    """
    checked = checked_bundles(paths)
    return [one.taken for one in checked] if results is None else store_bundles(checked, results)


def checked_bundles(paths: Sequence[Path]) -> list[CheckedBundle]:
    """Every bundle read and validated; for what it raises see `take`. Writes nothing that stays."""
    return [_checked(read_bundle(path)) for path in paths]


def store_bundles(checked: Iterable[CheckedBundle], results: Path) -> list[TakenBundle]:
    """Store what was validated, one bundle after the other. Durable when it returns; NotWritable."""
    check_writable(results)
    return [_stored(one, results) for one in checked]


def _checked(bundle: Bundle) -> CheckedBundle:
    by = Contribution(by=bundle.manifest.by, file=bundle.path.name, sha256=bundle.sha256)
    with _said(bundle.path, "its rows cannot be taken in"):
        rehearse([replace(row, record=_contributed(row.record, by, {})) for row in bundle.records])
        told = {(row.record.run_id, row.record.task): doubts(row.record, _trials(row)) for row in bundle.records}
    found = {key: reasons for key, reasons in told.items() if reasons}
    rows = tuple(replace(row, record=_contributed(row.record, by, found)) for row in bundle.records)
    records = tuple(row.record for row in rows)
    return CheckedBundle(TakenBundle(bundle.path, bundle.manifest, bundle.sha256, records, found), rows)


def _trials(row: BundledRecord) -> Any:
    content = row.tables.get("trials")
    return None if content is None else read_table("trials", content, row.record.task)


@contextlib.contextmanager
def _said(path: Path, what: str) -> Generator[None]:
    """What a forged record breaks, whatever with, is told of its bundle; what the system lacks is raised as it is."""
    try:
        yield
    except (MinizooError, OSError):
        raise
    except Exception as error:
        raise InvalidBundle(f"{path}: {what} ({type(error).__name__}: {one_line(error)}).", AGAIN) from error


def _contributed(record: Record, by: Contribution, found: Mapping[Key, tuple[Reason, ...]]) -> Record:
    """The record as it is stored: invalid where there is a doubt, and so is each ratio that a doubtful row is a side of."""
    speed, own = record.speed, found.get((record.run_id, record.task), ())
    if speed is not None and own:
        validity = speed.validity.model_copy(update={"valid": False, "reasons": (*speed.validity.reasons, *own)})
        speed = speed.model_copy(update={"validity": validity})
    if speed is not None and found:
        doubtful = {run_id for run_id, _ in found}
        comparisons = tuple(
            one.model_copy(update={"valid": one.valid and not own and one.against_run_id not in doubtful})
            for one in speed.comparisons
        )
        speed = speed.model_copy(update={"comparisons": comparisons})
    return record.model_copy(update={"source": "contributed", "contribution": by, "speed": speed})


def _stored(checked: CheckedBundle, results: Path) -> TakenBundle:
    taken = checked.taken
    if query(results, BEFORE, [taken.sha256]):
        return replace(taken, records=(), before=True)
    left_out = _left_out(checked, results)
    rows = [row for row in checked.rows if (row.record.run_id, row.record.task) not in left_out]
    try:
        _write(results, rows)
    except OSError as error:
        raise NotWritable(
            f"The rows of {taken.path} could not be written to {results} ({error.strerror or error}).",
            "Nothing of this bundle was stored: free some space and import it again.",
        ) from error
    return replace(taken, records=tuple(row.record for row in rows), left_out=tuple(left_out.values()))


def _left_out(checked: CheckedBundle, results: Path) -> dict[Key, str]:
    """Rows that are not stored, each with why: it is somebody else's run, or known, or a doubt that no row has room for."""
    taken, found = checked.taken, dict[Key, str]()
    for run_id in sorted({record.run_id for record in taken.records}):
        stored = _stored_run(results, run_id)
        whose = next(filter(None, (_other_owner(path, taken.manifest.by) for path in stored)), None)
        for record in (record for record in taken.records if record.run_id == run_id):
            doubtful = taken.doubts.get((run_id, record.task), ())
            why: str | None = None
            if whose is not None:
                why = f"run {run_id} {whose}"
            elif folder_name(record.task) in {path.parent.name for path in stored}:
                why = f"run {run_id} has it already, and a record never changes"
            elif record.speed is None and doubtful:
                why = "; ".join(reason.text for reason in doubtful)
            if why is not None:
                found[run_id, record.task] = f"{record.task}: {why}"
    return found


def _stored_run(results: Path, run_id: str) -> list[Path]:
    folder = run_folder(results, run_id)
    return RunFolder(run_id, folder, 0).records if folder.is_dir() else []


def _other_owner(path: Path, by: str | None) -> str | None:
    """What keeps a contributor from adding to the run of this record; None where it is the contributor's own."""
    try:
        contribution = read_record(path).contribution
    except (OSError, ValueError):
        return "has a record here that cannot be read"
    if contribution is None:
        return "is this machine's own"
    return None if contribution.by == by else "was contributed by another name"


def _write(results: Path, rows: Sequence[BundledRecord]) -> None:
    """All rows or none."""
    with contextlib.ExitStack() as undo:
        for row in rows:
            undo.callback(_remove_if_empty, run_folder(results, row.record.run_id))
            folder = write_record(results, row.record, tables=row.tables)
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
        undo.pop_all()


def _remove_if_empty(run: Path) -> None:
    with contextlib.suppress(OSError):  # it has records of an earlier bundle, or was not made
        run.rmdir()
