"""Reading a bundle: every file is checked before any of them is believed, and nothing is written anywhere.

Digests tell damage and changes by hand. Who forges a bundle recomputes them; what is read here is then still a record of
this version with tables that can be read, and whether its figures can be is `harness.bundles.plausible`'s question.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.bundles.archive import LARGEST_BUNDLE, MAGIC, MIB, check_members, member, opened
from harness.bundles.manifest import AGAIN, MANIFEST, Manifest, in_words, read_manifest
from harness.bundles.rows import check_row, check_rows
from harness.bundles.strict_json import json_object
from harness.bundles.tables import read_table
from harness.records.record import Record
from harness.records.versions import current
from zoo.errors import BundleAltered, FileMissing, InvalidBundle, NewerResults

FIRST_NAME = slice(30, 30 + len(MANIFEST))
"""Where a zip has the name of its first file: readable even where its end was cut off."""


@dataclass(frozen=True)
class BundledRecord:
    """A record as it was packed, and the Parquet bytes of its tables by name (`trials`, `telemetry`)."""

    record: Record
    tables: Mapping[str, bytes]


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files are all as they were packed."""

    path: Path
    sha256: str
    """Of the file."""
    manifest: Manifest
    records: tuple[BundledRecord, ...]


def is_zip(path: Path) -> bool:
    """Whether the file begins as a zip does. False for what cannot be read."""
    return _beginning(path).startswith(MAGIC)


def is_bundle(path: Path) -> bool:
    """Whether the file is a zip with a bundle's manifest in it, whatever its name; also one that was cut short."""
    beginning = _beginning(path)
    if beginning.startswith(MAGIC) and beginning[FIRST_NAME] == MANIFEST.encode():
        return True
    try:
        with opened(_content(path), str(path)):
            return True
    except (InvalidBundle, FileMissing):
        return False


def read_bundle(path: Path) -> Bundle:
    """The bundle in the file, checked whole.

    InvalidBundle for what is none, of a newer minizoo, or more or other than a bundle holds; BundleAltered where a file
    is not what was packed, missing or too many; FileMissing.
    """
    return read_content(_content(path), path)


def read_content(content: bytes, path: Path) -> Bundle:
    """The bundle in these bytes of that file; see `read_bundle`."""
    where = str(path)
    with opened(content, where) as archive:
        manifest = read_manifest(member(archive, archive.getinfo(MANIFEST), where), where)
        check_members(archive, where)
        files = _files(archive, manifest, where)
    rows: dict[str, dict[str, bytes]] = {}
    for name, found in files.items():
        folder, _, file = name.rpartition("/")
        rows.setdefault(folder, {})[file] = found
    records = tuple(_row(folder, rows[folder], where) for folder in sorted(rows))
    check_rows([one.record for one in records], where)
    return Bundle(path, hashlib.sha256(content).hexdigest(), manifest, records)


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FIRST_NAME.stop)
    except OSError:
        return b""


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BUNDLE + 1)
    except OSError as error:
        raise FileMissing(f"{path} cannot be read ({error.strerror or error}).", "Give a bundle of minizoo.") from None
    if len(content) > LARGEST_BUNDLE:
        raise InvalidBundle(f"{path} has more than {LARGEST_BUNDLE // MIB} MiB, which no bundle has.", AGAIN)
    return content


def _files(archive: zipfile.ZipFile, manifest: Manifest, where: str) -> dict[str, bytes]:
    """Every file beside the manifest, each with the size and the digest that the manifest says; BundleAltered otherwise."""
    listed = {file.path: file for file in manifest.files}
    there = {info.filename: info for info in archive.infolist() if info.filename != MANIFEST}
    for names, fault in ((listed.keys() - there.keys(), "is missing"), (there.keys() - listed.keys(), "was added")):
        if names:
            raise BundleAltered(f"{where}: {min(names)[:160]} {fault}.", AGAIN)
    found: dict[str, bytes] = {}
    for name, info in there.items():
        content, file = member(archive, info, where), listed[name]
        if len(content) != file.bytes or hashlib.sha256(content).hexdigest() != file.sha256:
            raise BundleAltered(f"{where}: {name[:160]} was changed since it was packed: it has not its digest.", AGAIN)
        found[name] = content
    return found


def _row(folder: str, files: Mapping[str, bytes], where: str) -> BundledRecord:
    at = f"{where}: {folder[:160]}"
    if "record.json" not in files:
        raise InvalidBundle(f"{at} has no record.json.", AGAIN)
    record = _record(files["record.json"], f"{at}/record.json")
    tables = {PurePosixPath(name).stem: content for name, content in files.items() if name != "record.json"}
    check_row(record, folder, tables, at)
    for kind, content in tables.items():
        read_table(kind, content, f"{at}/{kind}.parquet")
    return BundledRecord(record, tables)


def _record(content: bytes, at: str) -> Record:
    try:
        return Record.model_validate(current(json_object(content), Path(at)))
    except NewerResults as error:
        raise InvalidBundle(error.what, "Use a minizoo as new as the one that packed it.") from None
    except (ValueError, OverflowError) as error:
        words = in_words(error) if isinstance(error, ValueError) else "a number is too large"
        raise InvalidBundle(f"{at} is no record of minizoo ({words}).", AGAIN) from None
