"""One file from the hub into its cache: on from where an earlier attempt stopped, and by its digest before it counts.

huggingface_hub deletes what came of a file whose fetching failed: hours, of a file of many gigabytes on a poor line.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo.checkpoint.hub.cache import CachedRepository, HubFile, cache_folder
from zoo.checkpoint.hub.client import Unanswered, asked, is_network, reason
from zoo.checkpoint.hub.refusals import refusal
from zoo.checkpoint.hub.repository import file_url
from zoo.errors import DownloadBroken, DownloadCorrupt

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before a connection that broke is tried again; a try that brings new bytes begins them anew."""


class Stopped(Exception):
    """Another file failed, or Ctrl-C: what has come is kept."""


@dataclass
class Transfer:
    """One file on its way."""

    repository: CachedRepository
    hub_id: str
    """What it is fetched by, where the repository was renamed."""
    commit: str
    file: HubFile
    arrived: int = 0
    """Bytes of it that are there."""
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Bring the file into the cache, if it is not there.

        Raises what the hub refuses, DownloadBroken, DownloadCorrupt, OSError of the disk, and Stopped once `stop` is set.
        """
        with ExitStack() as stack:
            self._lock(stack)
            if self.repository.has(self.commit, self.file):
                self.arrived = self.file.size
                return
            blob = self.repository.blob(self.file)
            if not (blob.is_file() and blob.stat().st_size == self.file.size):
                blob = self._whole_part()
            self.arrived = self.file.size
            self.repository.take(self.commit, self.file, blob)

    def _lock(self, stack: ExitStack) -> None:
        """Wait while another process fetches the same file, by the lock that the hub's own client takes."""
        path = cache_folder() / ".locks" / self.repository.folder.name / f"{self.file.blob}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        while True:
            try:
                stack.enter_context(lock.acquire(timeout=0.5))
                return
            except Timeout:
                self._go_on()
            except NotImplementedError:  # a file system without locks: the worst is a file fetched twice
                return

    def _whole_part(self) -> Path:
        """The file's bytes, all of them and checked."""
        part = self.repository.part(self.file)
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._checked(part)
        finally:
            if part.is_file() and part.stat().st_size == 0:
                part.unlink()

    def _checked(self, part: Path) -> Path:
        resumed = self._resumable(part)
        self._fetch(part)
        if not self._is_right(part) and resumed:  # what lay there was no beginning of it
            part.unlink()
            self._fetch(part)
        if not self._is_right(part):
            size = part.stat().st_size
            part.unlink()
            same = size == self.file.size
            raise self._corrupt(
                "with another digest" if same else f"with {size:,} bytes, and {self.file.size:,} are listed"
            )
        return part

    def _resumable(self, part: Path) -> bool:
        """Whether there is a beginning to go on from; one that is too long is thrown away."""
        if not part.is_file():
            return False
        if part.stat().st_size > self.file.size:
            part.unlink()
            return False
        return part.stat().st_size > 0

    def _fetch(self, part: Path) -> None:
        """Let bytes arrive until there are as many as the listing says, whatever breaks between."""
        broken = 0
        part.touch()
        while (begun := part.stat().st_size) < self.file.size:
            self.arrived = begun
            try:
                self._read(part, begun)
                said = f"it ended after {part.stat().st_size:,} of {self.file.size:,} bytes"
            except Unanswered as error:
                said = str(error)
            except Exception as error:
                if not is_network(error):
                    raise
                said = reason(error)
            if part.stat().st_size > begun:
                broken = 0
            if part.stat().st_size < self.file.size:
                if broken == len(PAUSES):
                    raise DownloadBroken(
                        f"The connection for {self.file.name} of {self.hub_id} broke off {broken + 1} times without a new "
                        f"byte ({said}); {part.stat().st_size:,} of its {self.file.size:,} bytes are kept.",
                        "The same command goes on from there; `minizoo doctor` checks the network.",
                    )
                self._wait(PAUSES[broken])
                broken += 1

    def _read(self, part: Path, begun: int) -> None:
        """Append what one answer brings."""
        headers = {"range": f"bytes={begun}-"} if begun else {}
        with asked(file_url(self.hub_id, self.commit, self.file.name), headers, self._wait, tries=1) as response:
            if response.status_code in (200, 206, 416):
                self._check_length(part, response, begun)
            else:
                raise refusal(response, self.hub_id, self.commit, self.file.name)
            if response.status_code == 200 and begun:  # a Range was asked for and not heard
                self.arrived = 0
            with part.open("r+b") as file:
                file.seek(self.arrived)
                file.truncate()
                self._append(file, response)

    def _check_length(self, part: Path, response: Any, begun: int) -> None:
        """Raise DownloadCorrupt where the hub has another number of bytes than its listing says."""
        length = response.headers.get("Content-Length") if response.status_code == 200 else None
        within: str = (response.headers.get("Content-Range") or "").rpartition("/")[2] or length or ""
        if response.headers.get("Content-Encoding", "identity") != "identity" or not within.isdigit():
            return
        if int(within) != self.file.size:
            part.unlink()
            raise self._corrupt(f"with {int(within):,} bytes, and {self.file.size:,} are listed")

    def _corrupt(self, how: str) -> DownloadCorrupt:
        return DownloadCorrupt(
            f"{self.file.name} of {self.hub_id} is not what the hub's listing says: it came down {how}. It was thrown away.",
            "Run the same command again; if it repeats, what stands before the network (a proxy, a mirror) changes files.",
        )

    def _append(self, file: Any, response: Any) -> None:
        for piece in response.iter_bytes():  # as they arrive: what a gathered piece holds would be lost where it breaks
            self._go_on()
            file.write(piece)
            self.arrived += len(piece)
            if self.arrived > self.file.size:
                return

    def _is_right(self, part: Path) -> bool:
        """Whether size and digest are those of the listing."""
        if part.stat().st_size != self.file.size:
            return False
        with part.open("rb") as file:
            if self.file.sha256:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.file.sha256
            header = b"blob %d\0" % self.file.size
            return hashlib.sha1(header + file.read()).hexdigest() == self.file.git

    def _go_on(self) -> None:
        if self.stop.is_set():
            raise Stopped

    def _wait(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Stopped


Progress = Callable[[str, int, int], None]
"""Called with a step's name, how many bytes of it are done, and how many there are."""
