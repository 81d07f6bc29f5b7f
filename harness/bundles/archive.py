"""The zip of a bundle: written so that the same files are the same bytes, read as what a stranger sends."""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence

from harness.bundles.manifest import AGAIN, MANIFEST
from harness.records.files import folder_name
from zoo.errors import BundleAltered, InvalidBundle, one_line

MIB = 1 << 20
LARGEST_BUNDLE = 64 * MIB
"""Bytes of the zip; the rows of a GPU with all their trials are some five million."""
LARGEST_TOTAL = 256 * MIB
"""Bytes of all that is in it."""
MOST_MEMBERS = 3000
LARGEST_MEMBER = {MANIFEST: 2 * MIB, "record.json": 2 * MIB, "trials.parquet": 32 * MIB, "telemetry.parquet": 32 * MIB}
"""Bytes, by the last part of a member's name."""
ROW_FILE = re.compile(r"[0-9a-f-]{36}/(?P<folder>[^/]+)/(record\.json|(trials|telemetry)\.parquet)")
MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
ENTRY = b"PK\x01\x02"
"""What each entry of a zip's directory begins with."""
DATE = (1980, 1, 1, 0, 0, 0)
"""Of every member: when a file was written says nothing, and would change the bytes."""
UNREADABLE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError, IndexError)
"""What zipfile raises for bytes that are no zip, or no longer one."""


def packed(files: Mapping[str, bytes]) -> bytes:
    """The zip of these files: the manifest first, the others by name, without the time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files, key=lambda name: (name != MANIFEST, name)):
            info = zipfile.ZipInfo(name, DATE)
            info.compress_type, info.create_system = zipfile.ZIP_DEFLATED, 3
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, files[name], compresslevel=9)
    return buffer.getvalue()


def opened(content: bytes, where: str) -> zipfile.ZipFile:
    """The zip with a manifest in it; InvalidBundle for anything else. Nothing but its directory is read yet."""
    if content.count(ENTRY) > 2 * MOST_MEMBERS:  # before a directory of a million entries is read
        raise _no_bundle(where, f"it has more than {MOST_MEMBERS:,} files")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except UNREADABLE as error:
        reason = one_line(error)[:200]
        raise InvalidBundle(f"{where} is cut short or damaged: it cannot be read as a zip ({reason}).", AGAIN) from None
    if MANIFEST not in archive.namelist():
        raise InvalidBundle(
            f"{where} is a zip, and no bundle of minizoo: it has no {MANIFEST}.",
            "Give a bundle as it was packed, or the files that are in the zip.",
        )
    return archive


def member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> bytes:
    """The bytes of one file, no more of them than there may be.

    InvalidBundle for a file that no bundle has, BundleAltered where its bytes cannot be read.
    """
    if fault := _fault(info):
        raise _no_bundle(where, f"{_shown(info)} {fault}")
    most = LARGEST_MEMBER[info.filename.rpartition("/")[2]]
    if info.file_size > most:
        raise _no_bundle(where, f"{_shown(info)} has more than {most // MIB} MiB")
    try:
        with archive.open(info) as file:
            content = file.read(most + 1)
    except UNREADABLE as error:
        raise BundleAltered(f"{where}: {_shown(info)} is damaged ({one_line(error)[:200]}).", AGAIN) from None
    if len(content) != info.file_size:
        raise BundleAltered(f"{where}: {_shown(info)} has another size than the zip's directory says.", AGAIN)
    return content


def check_members(archive: zipfile.ZipFile, where: str) -> None:
    """InvalidBundle for what no bundle has: other names, one twice, links, encryption, comments, too much of anything."""
    listed = archive.infolist()
    if len(listed) > MOST_MEMBERS:
        raise _no_bundle(where, f"it has more than {MOST_MEMBERS:,} files")
    if archive.comment:
        raise _no_bundle(where, "the zip has a comment")
    if len({info.filename for info in listed}) < len(listed):
        raise _no_bundle(where, "it has two files of one name")
    for info in listed:
        if fault := _fault(info):
            raise _no_bundle(where, f"{_shown(info)} {fault}")
    if sum(info.file_size for info in listed) > LARGEST_TOTAL:
        raise _no_bundle(where, f"there are more than {LARGEST_TOTAL // MIB} MiB in it")


def is_row_file(name: str) -> bool:
    """Whether a file of a bundle has that name: below a run and a task, each a single safe part of a path."""
    found = ROW_FILE.fullmatch(name)
    return found is not None and folder_name(found["folder"]) == found["folder"]


def _fault(info: zipfile.ZipInfo) -> str | None:
    mode = info.external_attr >> 16
    faults: Sequence[tuple[bool, str]] = (
        (info.filename != MANIFEST and not is_row_file(info.filename), "is no name of a file in a bundle"),
        (info.orig_filename != info.filename, "is no name of a file in a bundle"),
        (bool(info.flag_bits & 0x1), "is encrypted"),
        (stat.S_IFMT(mode) not in (0, stat.S_IFREG), "is no plain file"),
        (info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), "is compressed in another way"),
        (bool(info.comment or info.extra), "has a comment or an extra field"),
    )
    return next((words for found, words in faults if found), None)


def _shown(info: zipfile.ZipInfo) -> str:
    return repr(info.filename[:120])[1:-1]


def _no_bundle(where: str, why: str) -> InvalidBundle:
    return InvalidBundle(
        f"{where} is not as minizoo packs a bundle: {why}.", f"{AGAIN} Give the file as it was packed."
    )
