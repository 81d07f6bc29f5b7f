"""Data sets that come as a script, which is never run: the hub's Parquet export of them, kept in minizoo's own cache.

The cache is a mirror as `minizoo data pull` makes one: JSON lines with digests and the export's commit in its manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.data.manifest import MANIFEST, Needed, check_mirror, read_manifest
from harness.data.pull import pull
from zoo.errors import DataMissing, HubUnreachable, InvalidData
from zoo.files import cache_folder

LONGEST_WAIT = 3600.0
"""Seconds for which another process that fetches the same is waited for."""
DIGITS = 16
"""Of a file's sha256 that a record shows."""

Tell = Callable[[str], None]


def exports_folder() -> Path:
    """Where they are kept. Not created here."""
    return cache_folder() / "data"


def kept_export(needed: Sequence[Needed]) -> str | None:
    """Where the needed files come from, in words, if all of them were fetched and are whole; reads every byte of them."""
    folder = exports_folder()
    if not needed or not all((folder / one.path).is_file() for one in needed):
        return None
    try:
        if any(held.state != "whole" for held in check_mirror(folder, needed)):
            return None
        pulled = read_manifest(folder)
    except InvalidData:
        return None
    first = needed[0]
    digests = ", ".join(f"{one.split} {pulled[one.path.as_posix()].sha256[:DIGITS]}" for one in needed)
    revision = pulled[first.path.as_posix()].revision
    return f"{first.dataset}/{first.config}: the hub's Parquet export at {revision}, sha256 of {digests}"


def fetch_export(task: str, needed: Sequence[Needed], tell: Tell | None = None) -> str:
    """Fetch the needed files of one data set, whole or not at all, and say where they come from, as `kept_export`.

    Raises DataMissing where the hub has no such export or cannot be reached for it, NotWritable for a cache that takes no file.
    """
    folder, dataset = exports_folder(), needed[0].dataset
    if tell:
        tell(f"{dataset} comes as a script, which is never run: the hub's Parquet export of it is fetched instead.")
    said: list[str] = []
    try:
        _drop_broken_manifest(folder)
        pull(folder, needed, said.append, by_hand=False, wait=LONGEST_WAIT)
    except HubUnreachable as error:
        said.append(error.what)
    told = kept_export(needed)
    if told is None:
        raise DataMissing(
            f"Task {task}: the data set {dataset} is a script on the hub, which is never run, and the hub's Parquet export of "
            f"it cannot be had. {said[-1]}",
            "Run again later, or put its files into a mirror by hand and give --data DIR.",
        )
    return told


def _drop_broken_manifest(folder: Path) -> None:
    """A cache mends itself: what the manifest does not vouch for is fetched again."""
    try:
        read_manifest(folder)
    except InvalidData:
        (folder / MANIFEST).unlink(missing_ok=True)
