"""A night that is killed with SIGKILL at random moments, begun again each time, and held beside one that nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness.fleet.night.files import finished, nights
from support.night_results import differences, read_results

ORPHAN_SECONDS = 10.0
"""Children of a killed night are gone as soon as the kernel has told them: this is for a machine that is very busy."""


@dataclass
class Killed:
    """A night that was killed so often, and what came of it."""

    results: Path
    moments: list[float] = field(default_factory=list[float])
    """Seconds from each start to its kill."""
    orphans: list[str] = field(default_factory=list[str])
    """Command lines of processes that outlived their night."""
    exit_code: int | None = None
    different: list[str] = field(default_factory=list[str])
    """What is not as in the night that nobody disturbed."""
    attempts: dict[str, list[str | None]] = field(default_factory=dict[str, list[str | None]])


def command(plan: Path, results: Path) -> list[str]:
    return [sys.executable, "-m", "minizoo", "nightly", "--plan", str(plan), "--results", str(results), "--json"]


def undisturbed(plan: Path, results: Path) -> tuple[int, float]:
    """Exit code and seconds of a whole night."""
    began = time.monotonic()
    with results.with_suffix(".log").open("wb") as log:
        code = subprocess.run(command(plan, results), stdout=subprocess.DEVNULL, stderr=log, check=False).returncode
    return code, time.monotonic() - began


def killed_night(plan: Path, results: Path, reference: Path, most: int, seconds: float, draw: random.Random) -> Killed:
    """Kill it `most` times at most, each at a moment drawn evenly from a whole night's `seconds`, then let it end.

    One that was killed with everything on disk is over: the same command would begin the next night.
    """
    night = Killed(results)
    with results.with_suffix(".log").open("ab") as log:
        while True:
            process = subprocess.Popen(command(plan, results), stdout=subprocess.DEVNULL, stderr=log)
            moment = draw.uniform(0, seconds) if len(night.moments) < most else None
            try:
                night.exit_code = process.wait(moment)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                night.moments.append(round(moment or 0, 2))
                night.orphans += orphans(results)
                if is_over(results):
                    night.exit_code = read_results(results).outcome.exit_code
                    break
    other = read_results(results)
    night.different = differences(other, read_results(reference))
    night.attempts = other.attempts
    return night


def is_over(results: Path) -> bool:
    """Whether a night of the folder has all that it writes."""
    return any(finished(folder) for folder, _ in nights(results))


def orphans(results: Path) -> list[str]:
    """Processes that name the folder after some seconds; none as soon as there is none."""
    until = time.monotonic() + ORPHAN_SECONDS
    while (found := naming(str(results))) and time.monotonic() < until:
        time.sleep(0.1)
    return found


def naming(word: str) -> list[str]:
    """Command lines of living processes that have the word in them, but for this process."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if word in line and state != "Z" and int(folder.name) != os.getpid():
            found.append(line)
    return found
