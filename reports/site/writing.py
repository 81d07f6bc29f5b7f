"""The site's files on disk: whole or not at all a file, only what changed, and nothing touched that minizoo did not write.

`.minizoo-site.json` in the folder names every file that is ours, with a digest of what it was made from. While the site is
being written a journal names what was written since, so that a run that was ended leaves a folder that is still ours.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path, PurePosixPath
from typing import Any, TextIO, cast

from filelock import FileLock, Timeout

from zoo.errors import Busy, NewerSite, NotASite, NotWritable
from zoo.files import write_atomically

MANIFEST = ".minizoo-site.json"
JOURNAL = ".minizoo-site.part"
LOCK = ".minizoo-site.lock"
OWN = (MANIFEST, JOURNAL, LOCK)
FORMAT = "minizoo.site"
VERSION = 1
OLD_PAGE = "<title>minizoo results</title>"
"""In the one page that minizoo wrote before it wrote sites."""
GENERATOR = b'<meta name="generator" content="minizoo">'
"""In every page."""
LOCK_SECONDS = 120
ANOTHER_FILE = "Give `minizoo report --single-file --out FILE.html` another name."
OTHER = "Give `minizoo report --out DIR` a new or an empty folder, or one that it wrote before."


class Site:
    """A folder that the site is being written to. Addresses are relative to it, with `/` between their parts."""

    def __init__(self, folder: Path, before: dict[str, str], journal: TextIO) -> None:
        self.folder = folder
        self.written = 0
        """Files that were written, as opposed to left as they were."""
        self._before = before
        self._now: dict[str, str] = {}
        self._journal = journal
        self._folders: set[Path] = set()

    @property
    def files(self) -> int:
        """How many files the site has so far."""
        return len(self._now)

    def unchanged(self, address: str, state: str) -> bool:
        """Whether the file at this address is there and was made from inputs of this digest; then it stays as it is."""
        if self._before.get(address) != state or not (self.folder / address).is_file():
            return False
        self._now[address] = state
        return True

    def put(self, address: str, content: str | bytes, state: str | None = None) -> None:
        """Write a file. `state` is a digest of its inputs; without one it is told by its content whether it changed.

        Raises NotWritable, and NotASite where a file that is not ours has that name.
        """
        raw = content.encode() if isinstance(content, str) else content
        if state is None:
            state = digest(raw)
            path = self.folder / address
            if self._before.get(address) == state and path.is_file() and path.read_bytes() == raw:
                self._now[address] = state
                return
        self._write(address, state, lambda temporary: temporary.write_bytes(raw))

    def copy(self, address: str, source: Path, state: str) -> None:
        """Write a file with the bytes of another. Raises as `put` does."""
        self._write(address, state, lambda temporary: shutil.copyfile(source, temporary))

    def _write(self, address: str, state: str, write: Callable[[Path], object]) -> None:
        path = self.folder / address
        if address not in self._before and address not in self._now and os.path.lexists(path):
            raise NotASite(
                f"{path} has the name of a page, and minizoo did not write it. Nothing of it was changed.", OTHER
            )
        temporary = path.with_name(f".{path.name[:100]}.part")
        try:
            self._journal.write(f"{json.dumps(address)}\n")
            self._journal.flush()
            if path.parent not in self._folders:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._folders.add(path.parent)
            write(temporary)
            temporary.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise _not_writable(path, error) from error
        self._now[address] = state
        self.written += 1

    def finish(self) -> int:
        """Take away the pages that are no longer made, note what is ours, and return how many were taken away."""
        fallen = sorted(set(self._before) - set(self._now))
        with _told(self.folder):
            for address in fallen:
                path = self.folder / address
                path.unlink(missing_ok=True)
                _remove_empty(path.parent, self.folder)
            _write_manifest(self.folder, self._now)
        return len(fallen)


@contextlib.contextmanager
def site_in(folder: Path) -> Generator[Site]:
    """The site in this folder, to be written anew; one process at a time.

    Where the block raises, what it wrote stays, nothing is taken away, and the folder is ours as before. Raises NotASite for a
    folder that holds anything and was not written by minizoo, NewerSite where a newer minizoo wrote it (nothing is touched
    then), NotWritable, and Busy where another process writes it.
    """
    _known(folder)
    with _told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _held(folder):
        before = _known(folder)
        with _told(folder):
            if not (folder / MANIFEST).exists():
                _write_manifest(folder, before)  # from here on the folder is ours, whatever ends this run
            journal = (folder / JOURNAL).open("a", encoding="utf-8")
        with journal:
            site = Site(folder, before, journal)
            yield site
            site.finish()
        with _told(folder):
            (folder / JOURNAL).unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Write a file outside of any site, whole or not at all; its folder is made. Raises NotWritable."""
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)


def check_replaceable(path: Path) -> None:
    """NotASite where a file of that name is there and is no page of minizoo."""
    if not os.path.lexists(path):
        return
    with _told(path), path.open("rb") as page:
        head = page.read(4000)
    if GENERATOR not in head and OLD_PAGE.encode() not in head:
        raise NotASite(f"{path} is there already, and minizoo did not write it. It was left as it is.", ANOTHER_FILE)


def digest(content: bytes) -> str:
    """Sixteen digits that tell one content from another."""
    return hashlib.sha256(content).hexdigest()[:16]


def _known(folder: Path) -> dict[str, str]:
    """The files of the site in this folder, each with its digest; raises where the folder is not ours to write."""
    try:
        there = sorted(entry.name for entry in os.scandir(folder))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _not_writable(folder, error) from error
    if MANIFEST in there:
        return _read_manifest(folder / MANIFEST) | dict.fromkeys(_journalled(folder / JOURNAL), "")
    foreign = [name for name in there if name not in OWN]
    if foreign == ["index.html"] and _is_old_page(folder / "index.html"):
        return {"index.html": ""}
    if foreign:
        raise NotASite(
            f"{folder} holds files that are not of a site of minizoo ({', '.join(foreign[:3])}"
            f"{', …' if len(foreign) > 3 else ''}). Nothing was written.",
            OTHER,
        )
    return {}


def _read_manifest(path: Path) -> dict[str, str]:
    try:
        document: Any = json.loads(path.read_text("utf-8"))
        name, _, version = str(document["schema"]).partition("/")
        if name == FORMAT and version.isdecimal() and int(version) > VERSION:
            raise NewerSite(
                f"The site in {path.parent} was written by a newer minizoo (form {version}, this one knows {VERSION}). "
                "Nothing was written.",
                "Use that version, or give another folder.",
            )
        files = cast("dict[str, object]", document["files"])
        if name == FORMAT and all(map(_is_inside, files)):
            return {address: str(state) for address, state in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise NotASite(f"{path} is no list of a site's files, so nothing tells which of them are minizoo's.", OTHER)


def _journalled(path: Path) -> list[str]:
    """What a run that did not end has written; its last line may be cut."""
    found: list[str] = []
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in path.read_text("utf-8").splitlines():
            with contextlib.suppress(ValueError):
                address: Any = json.loads(line)
                found += [address] if _is_inside(address) else []
    return found


def _is_inside(address: Any) -> bool:
    """Whether it is the address of a file below the folder."""
    if not isinstance(address, str) or "\0" in address or "\\" in address:
        return False
    parts = address.split("/")
    return not PurePosixPath(address).is_absolute() and not any(part in ("", ".", "..") for part in parts)


def _is_old_page(path: Path) -> bool:
    with contextlib.suppress(OSError, UnicodeDecodeError), path.open(encoding="utf-8") as page:
        return OLD_PAGE in page.read(1000)
    return False


def _write_manifest(folder: Path, files: dict[str, str]) -> None:
    document = {"schema": f"{FORMAT}/{VERSION}", "files": dict(sorted(files.items()))}
    write_atomically(folder / MANIFEST, (json.dumps(document, indent=0, ensure_ascii=False) + "\n").encode())


def _remove_empty(folder: Path, root: Path) -> None:
    """Take away folders that a page has left empty, up to the site's own."""
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


@contextlib.contextmanager
def _held(folder: Path) -> Generator[None]:
    lock = FileLock(folder / LOCK)
    try:
        with _told(folder):
            lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        raise Busy(
            f"Another minizoo process has been writing {folder} for {LOCK_SECONDS} s.", "Wait for it, or end it."
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _told(path: Path) -> Generator[None]:
    """Inside, what the system refuses becomes NotWritable. A time-out is none of it, though it is an OSError too."""
    try:
        yield
    except Timeout:
        raise
    except OSError as error:
        raise _not_writable(path, error) from error


def _not_writable(path: Path, error: OSError) -> NotWritable:
    return NotWritable(
        f"The report cannot be written to {path}: {error.strerror or error}.",
        "Give a folder that can be written, with room for it: `minizoo report --out DIR`.",
    )
