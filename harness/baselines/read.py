"""Reading a baseline's bundle: every digest is checked before any figure is believed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.baselines.bundle import OUTCOMES, RECORD, SCHEMA, TRIALS, OutcomesManifest
from harness.baselines.file import Baseline
from harness.baselines.outcomes import OUTCOME_COLUMNS
from harness.bundles.archive import UNREADABLE, opened
from harness.bundles.manifest import MANIFEST, digest_of, in_words
from harness.bundles.strict_json import json_object
from harness.metrics.speed_metrics import TRIAL_COLUMNS
from harness.records.record import Record
from harness.records.versions import current, is_newer
from zoo.errors import BaselineAltered, BaselineMissing, InvalidBundle, NewerResults, one_line


class Outcome(NamedTuple):
    """A task of a baseline."""

    record: Record
    documents: Any
    """Arrow table of OUTCOME_COLUMNS; None where the task has none (a group, a speed)."""
    trials: Any
    """Arrow table of TRIAL_COLUMNS of a speed; None elsewhere."""


def read_outcomes(baseline: Baseline, folder: Path) -> list[Outcome]:
    """Every task of a baseline whose file is in `folder`, in the order of their names.

    BaselineMissing where the bundle is not there, BaselineAltered where it, or a file in it, is not what was accepted,
    NewerResults for one of a newer minizoo.
    """
    path = folder / baseline.bundle
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BaselineMissing(
            f"The bundle of baseline {baseline.name}, {path}, cannot be read ({error.strerror or error}).",
            f"It belongs into git beside the file that names it: fetch it from there, or {_again(baseline)}.",
        ) from None
    if len(content) != baseline.bytes or hashlib.sha256(content).hexdigest() != baseline.sha256:
        raise _altered(baseline, path, "it has not the digest that was accepted")
    files = _files(baseline, path, content)
    tasks: dict[str, dict[str, bytes]] = {}
    for name, found in files.items():
        inside, _, file = name.rpartition("/")
        tasks.setdefault(inside, {})[file] = found
    return [_outcome(baseline, path, inside, tasks[inside]) for inside in sorted(tasks)]


def _files(baseline: Baseline, path: Path, content: bytes) -> Mapping[str, bytes]:
    """What is in the zip beside the manifest, each file with its digest."""
    try:
        with opened(content, str(path)) as archive:
            files = {info.filename: archive.read(info) for info in archive.infolist()}
    except (*UNREADABLE, InvalidBundle) as error:
        raise _altered(baseline, path, f"it cannot be read as a zip ({one_line(error)[:200]})") from None
    manifest = _manifest(baseline, path, files.pop(MANIFEST))
    if manifest.run != baseline.run:
        raise _altered(baseline, path, f"it is of run {manifest.run[:60]}, and {baseline.run} was accepted")
    digests = {file.path: file.sha256 for file in manifest.files}
    for name in sorted(digests.keys() | files.keys()):
        if name not in digests or name not in files:
            raise _altered(baseline, path, f"{name[:160]} {'was added' if name in files else 'is missing'}")
        if hashlib.sha256(files[name]).hexdigest() != digests[name]:
            raise _altered(baseline, path, f"{name[:160]} has not its digest")
    return files


def _manifest(baseline: Baseline, path: Path, content: bytes) -> OutcomesManifest:
    try:
        document = json_object(content)
        if is_newer(document.get("schema_version"), SCHEMA):
            raise NewerResults(
                f"{path} was packed by a newer minizoo: it is a {document['schema_version']}, and this one reads {SCHEMA}.",
                "Use a minizoo as new as the one that packed it.",
            )
        if digest_of(document) != document.get("digest"):
            raise _altered(baseline, path, f"{MANIFEST} has not its digest")
        return OutcomesManifest.model_validate(document)
    except ValueError as error:
        raise _altered(baseline, path, f"{MANIFEST} is no list of outcomes ({in_words(error)})") from None


def _outcome(baseline: Baseline, path: Path, inside: str, files: Mapping[str, bytes]) -> Outcome:
    try:
        record = Record.model_validate(current(json_object(files[RECORD]), path / inside / RECORD))
    except KeyError:
        raise _altered(baseline, path, f"{inside}/{RECORD} is missing") from None
    except ValueError as error:
        raise _altered(baseline, path, f"{inside}/{RECORD} is no record ({in_words(error)})") from None
    if record.run_id != baseline.run:
        raise _altered(baseline, path, f"{inside}/{RECORD} is of run {record.run_id[:60]}")
    tables = {
        name: _table(baseline, path, f"{inside}/{name}", files[name], columns) if name in files else None
        for name, columns in ((OUTCOMES, OUTCOME_COLUMNS), (TRIALS, TRIAL_COLUMNS))
    }
    return Outcome(record, tables[OUTCOMES], tables[TRIALS])


def _table(baseline: Baseline, path: Path, name: str, content: bytes, columns: Mapping[str, str]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _altered(baseline, path, f"{name} cannot be read as Parquet ({one_line(error)[:200]})") from None
    if absent := [column for column in columns if column not in table.column_names]:
        raise _altered(baseline, path, f"{name} lacks the column {absent[0]}")
    return table


def _altered(baseline: Baseline, path: Path, why: str) -> BaselineAltered:
    return BaselineAltered(
        f"The bundle of baseline {baseline.name}, {path}, is not what was accepted: {why}.",
        f"Fetch it from git as it was committed, or {_again(baseline)}.",
    )


def _again(baseline: Baseline) -> str:
    return f"accept a run again (`minizoo baseline accept RUN --name {baseline.name} --reason …`)"
