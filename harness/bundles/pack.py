"""Packing: the rows of some runs into one file that can be given away, without a name of the machine in it."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from harness.bundles.archive import packed
from harness.bundles.manifest import MANIFEST, ContributorName, Manifest, in_words, listed, sealed
from harness.bundles.private import Private, this_machine
from harness.bundles.rows import is_row
from harness.bundles.tables import COLUMNS
from harness.bundles.unpack import read_content
from harness.records.files import folder_name, read_record, run_folder
from harness.records.provenance import git_sha, version_of
from harness.records.record import Record
from harness.store.scan import RunFolder
from zoo.errors import InvalidFile, InvalidOption, NothingToPack, NotWritable
from zoo.files import write_atomically

LONGEST_SLUG = 48
LEFT_OUT_OF_SLUGS = re.compile(r"\((R|TM|C)\)|@.*|,.*| CPU\b", re.IGNORECASE)
"""Of a processor's name what its maker adds to it, and the threads."""


def pack(
    results: Path, run_ids: Sequence[str], out: Path, by: str | None = None, command: str = "",
    notes: Sequence[str] = (), made_at: datetime | None = None,
) -> Path:  # fmt: skip
    """Write the rows of these runs to one bundle in the folder `out`, whole or not at all, and return its path.

    Packed is what this machine measured, of speed or of scoring beside another engine, done or failed; with a row also the
    run that it is compared with. `by`: the name that the contributor chooses to be shown by, the one name that stays in it.
    `notes`: what was not measured and why. `made_at` is now by default; the same rows packed at the same time are the same
    bytes. Raises NothingToPack, InvalidOption for a name that cannot be shown, InvalidFile for a record that cannot be read,
    NotWritable.
    """
    contributor = _contributor(by)
    found = _records(results, run_ids)
    if not found:
        raise NothingToPack(
            f"None of the runs has a row to pack in {results}.",
            "A bundle holds what this machine measured: `minizoo bench`, or scoring beside another engine.",
        )
    private = this_machine()
    for record, _ in found:
        private = private.with_host(record.setting.host)
    files = _files(found, private)
    made_at = (made_at or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    manifest = sealed(
        made_at=made_at,
        by=contributor,
        minizoo=version_of("minizoo") or "unknown",
        git_sha=git_sha(),
        command=private.command(command),
        notes=tuple(private.text(note) for note in notes),
        files=listed(files),
    )
    private.check([manifest.command, *manifest.notes])
    return _written(out, _name([record for record, _ in found], manifest), {MANIFEST: manifest.content(), **files})


def _contributor(by: str | None) -> str | None:
    try:
        return None if by is None else TypeAdapter(ContributorName).validate_python(by.strip())
    except ValidationError as error:
        raise InvalidOption(
            f"The contributor's name cannot be shown ({in_words(error)}).", "Give another one, or none."
        ) from None


def _records(results: Path, run_ids: Iterable[str]) -> list[tuple[Record, Path]]:
    """Every row of those runs, and of the runs that they are compared with, with its folder; in order of run and task."""
    waiting, seen = sorted(set(run_ids)), set[str]()
    found: list[tuple[Record, Path]] = []
    while waiting:
        seen.add(run_id := waiting.pop(0))
        rows = [(record, path.parent) for record, path in _run(results, run_id) if is_row(record)]
        found += rows
        compared = (one for record, _ in rows if record.speed for one in record.speed.comparisons)
        waiting += sorted({one.against_run_id for one in compared} - seen - set(waiting))
    return sorted(found, key=lambda one: (one[0].run_id, one[0].task))


def _run(results: Path, run_id: str) -> list[tuple[Record, Path]]:
    try:
        folder = run_folder(results, run_id)
        paths = RunFolder(run_id, folder, 0).records if folder.is_dir() else []
    except (ValueError, OverflowError):
        raise InvalidOption(
            f"{run_id!r:.60} is no id of a run.", "Give the ids of runs, as `minizoo bench --json` prints them."
        ) from None
    return [(_read(path), path) for path in paths]


def _read(path: Path) -> Record:
    try:
        return read_record(path)
    except (OSError, ValueError) as error:
        raise InvalidFile(
            f"{path} cannot be read ({error}).", "`minizoo db check` lists such records; pack the other runs."
        ) from None


def _files(found: Iterable[tuple[Record, Path]], private: Private) -> dict[str, bytes]:
    """Records and tables by their names in the bundle, in order."""
    files: dict[str, bytes] = {}
    for record, folder in found:
        shown = private.record(record)
        private.check(private.free_texts(shown))
        inside = f"{record.run_id}/{folder_name(record.task)}"
        files[f"{inside}/record.json"] = (shown.model_dump_json(indent=1) + "\n").encode()
        for name in COLUMNS:
            table = folder / f"{name}.parquet"
            if table.is_file():
                files[f"{inside}/{name}.parquet"] = table.read_bytes()
    return dict(sorted(files.items()))


def _name(records: Sequence[Record], manifest: Manifest) -> str:
    """The bundle's file name: most rows' GPU, else processor; the day; the digest's beginning."""
    devices = collections.Counter(record.setting.gpu or record.setting.processor or "unknown" for record in records)
    device = LEFT_OUT_OF_SLUGS.sub("", devices.most_common(1)[0][0])
    slug = re.sub(r"[^a-z0-9]+", "-", device.lower())[:LONGEST_SLUG].strip("-") or "unknown"
    return f"minizoo-rows-{slug}-{manifest.made_at:%Y%m%d}-{manifest.digest[:8]}.zip"


def _written(out: Path, name: str, files: dict[str, bytes]) -> Path:
    content = packed(files)
    read_content(content, out / name)  # what is given away can be taken in
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / name, content)
    except OSError as error:
        raise NotWritable(
            f"The bundle cannot be written to {out} ({error.strerror or error}).",
            "Give a folder that can be written: the rows themselves are kept.",
        ) from error
    return out / name
