"""Several files of a commit at once: room for them first, then four at a time, told as they arrive, stopped by Ctrl-C."""

from __future__ import annotations

import errno
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from zoo.checkpoint.hub.cache import CachedRepository, HubFile, cache_folder, free_bytes
from zoo.checkpoint.hub.transfer import Progress, Stopped, Transfer
from zoo.errors import DiskFull, NotWritable

AT_ONCE = 4
LOOKS_EVERY = 0.1
"""Seconds between two looks at how far the files are."""
ELSEWHERE = "Make room, or let HF_HOME (or HF_HUB_CACHE) name a folder on another disk."


def check_room(hub_id: str, missing: int) -> None:
    """Raise DiskFull where the disk of the hub's cache has less room than what is still to be fetched."""
    folder = cache_folder()
    free = free_bytes(folder)
    if free is not None and free < missing:
        raise DiskFull(
            f"{hub_id} needs {missing / 1e9:.1f} GB more in {folder}, and its disk has {free / 1e9:.1f} GB left; nothing "
            "was fetched.",
            ELSEWHERE,
        )


def fetch_files(
    repository: CachedRepository,
    hub_id: str,
    commit: str,
    files: Sequence[HubFile],
    progress: Progress | None = None,
) -> None:
    """Bring files into the cache; those that are there already stay as they are.

    Where one fails the others stop, and all that came is kept. Raises what a Transfer raises, DiskFull and NotWritable.
    """
    stop = threading.Event()
    transfers = [Transfer(repository, hub_id, commit, file, stop=stop) for file in files]
    for transfer in transfers:
        transfer.arrived = repository.bytes_there(commit, transfer.file)
    total = sum(file.size for file in files)
    tell = _teller(progress, f"fetching {hub_id}", transfers, total)
    errors: list[BaseException] = []
    threads = _start([one for one in transfers if not repository.has(commit, one.file)], stop, errors)
    try:
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(LOOKS_EVERY / len(threads))
            tell()
    finally:
        stop.set()  # Ctrl-C: the threads end at their next bytes, and none is waited for that gets none
        with suppress(KeyboardInterrupt):
            for thread in threads:
                thread.join(0.2)
    if errors:
        raise _told(next((one for one in errors if not isinstance(one, Stopped)), errors[0]))
    tell()


def _start(transfers: Sequence[Transfer], stop: threading.Event, errors: list[BaseException]) -> list[threading.Thread]:
    waiting: queue.SimpleQueue[Transfer] = queue.SimpleQueue()
    for transfer in transfers:
        waiting.put(transfer)

    def work() -> None:
        while not stop.is_set():
            try:
                transfer = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                transfer.run()
            except BaseException as error:
                errors.append(error)
                stop.set()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(AT_ONCE, len(transfers)))]
    for thread in threads:
        thread.start()
    return threads


def _teller(progress: Progress | None, step: str, transfers: Sequence[Transfer], total: int) -> Callable[[], None]:
    """Tell how many bytes are there, from the calling thread."""

    told = [-1]

    def tell() -> None:
        done = min(total, sum(transfer.arrived for transfer in transfers))
        if progress is not None and done != told[0]:
            progress(step, done, total)
            told[0] = done

    return tell


def _told(error: BaseException) -> BaseException:
    """A fault of the disk as an error with a cause of its own."""
    if not isinstance(error, OSError):
        return error
    folder = cache_folder()
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"The disk of {folder} is full; what was fetched until then is kept.", ELSEWHERE)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return NotWritable(
            f"The hub's cache {folder} cannot be written to ({error.strerror}).",
            "Change its permissions, or let HF_HOME name another folder.",
        )
    return error
