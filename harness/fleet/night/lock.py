"""One night at a time in a results folder: a lock that the system lets go of when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from harness.fleet.folders import nights_folder
from zoo.errors import NightRunning
from zoo.files import check_writable, json_object, write_atomically


@contextlib.contextmanager
def night_lock(results: Path, plan: str) -> Generator[None]:
    """Hold the nights of a results folder. NightRunning, with the holder, where another process does; NotWritable."""
    root = nights_folder(results)
    check_writable(root)
    lock, holder = FileLock(root / ".lock"), root / ".holder"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise NightRunning(
            f"A night runs in {results} already{_told(holder)}.", "Wait for its end, or give another --results."
        ) from None
    try:
        who = {
            "pid": os.getpid(),
            "host": platform.node(),
            "plan": plan,
            "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        }
        write_atomically(holder, json.dumps(who).encode())
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _told(holder: Path) -> str:
    who = json_object(holder)
    if not who:
        return ""
    return f": plan {who.get('plan')}, pid {who.get('pid')} on {who.get('host')}, since {who.get('since')} UTC"
