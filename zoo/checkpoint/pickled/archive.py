"""The zip that torch.save writes, by its own directory: where each storage lies. What is no such zip is refused with why."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from zoo.checkpoint.forms.lines import resave_line
from zoo.checkpoint.forms.pointers import refuse_pointers
from zoo.errors import PickleUnreadable, WeightsTruncated

ZIP = b"PK\x03\x04"
OLD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How files of torch before 1.6 begin: a pickled magic number."""
LOCAL_HEADER = 30
"""Bytes of a record's own header before its name; at 26 the lengths of name and extra field."""
AGAIN = "Fetch the file again."


@dataclass(frozen=True)
class Archive:
    """A file of torch.save: first byte of each storage → its length."""

    file: Path
    storages: dict[int, int]


def open_archive(file: Path) -> Archive:
    """Read the directory of a file; no storage is touched.

    Raises PointerFile, WeightsTruncated for a zip that has no end, PickleUnreadable for an older or another form.
    """
    refuse_pointers([file])
    with file.open("rb") as handle:
        first = handle.read(64)
    if not first.startswith(ZIP):
        raise _no_archive(file, first)
    try:
        with zipfile.ZipFile(file) as archive:
            _check_kind(file, archive)
            storages = _storages(file, archive)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise WeightsTruncated(f"{file} is cut short or broken: its zip cannot be read ({error}).", AGAIN) from None
    return Archive(file, storages)


def _check_kind(file: Path, archive: zipfile.ZipFile) -> None:
    names = [name.partition("/")[2] for name in archive.namelist()]
    if "constants.pkl" in names:
        raise PickleUnreadable(
            f"{file} is a TorchScript program, not weights alone.", "Take the checkpoint that it was made from."
        )
    if "data.pkl" not in names:
        raise PickleUnreadable(f"{file} is a zip, and not one of torch.save.", "If it is an archive, unpack it.")
    if len(set(names)) < len(names):
        raise PickleUnreadable(f"{file} holds a record twice.", AGAIN)
    order = next((name for name in archive.namelist() if name.partition("/")[2] == "byteorder"), None)
    if order is not None and archive.read(order) != b"little":
        raise PickleUnreadable(
            f"{file} was written on a big-endian machine.", "Load it with torch and save it again on this one."
        )


def _storages(file: Path, archive: zipfile.ZipFile) -> dict[int, int]:
    found: dict[int, int] = {}
    size = file.stat().st_size
    with file.open("rb") as handle:
        for record in archive.infolist():
            if not record.filename.partition("/")[2].startswith("data/"):
                continue
            if record.compress_type != zipfile.ZIP_STORED or record.flag_bits & 1:
                raise PickleUnreadable(
                    f"{file} was packed anew: torch.save leaves weights uncompressed.", "Load and save it with torch."
                )
            handle.seek(record.header_offset + 26)
            lengths = handle.read(4)
            start = (
                record.header_offset
                + LOCAL_HEADER
                + sum(int.from_bytes(lengths[at : at + 2], "little") for at in (0, 2))
            )
            if start + record.file_size > size:
                raise WeightsTruncated(f"{file} ends before its record {record.filename!r} does.", AGAIN)
            found[start] = record.file_size
    return found


def _no_archive(file: Path, first: bytes) -> PickleUnreadable | WeightsTruncated:
    """What a file is that does not begin as a zip does."""
    if not first:
        return WeightsTruncated(f"{file} is empty.", AGAIN)
    if first.startswith(OLD):
        return PickleUnreadable(
            f"{file} is in the form of torch before 1.6, which cannot be read a tensor at a time.",
            f"Write it anew, which takes its size in memory, and put the new file in its place: {resave_line(str(file))}",
        )
    if first.lstrip()[:1] in (b"<", b"{") or first.isascii():
        shown = first.split(b"\n")[0][:40].decode("latin-1")
        return PickleUnreadable(f"{file} is text, not weights: it begins with {shown!r}.", AGAIN)
    if first[:1] == b"\x80":
        return PickleUnreadable(
            f"{file} is a plain pickle, not a file of torch.save; it was not opened.", "Take the model's safetensors."
        )
    return PickleUnreadable(f"{file} is not what torch.save writes.", AGAIN)
