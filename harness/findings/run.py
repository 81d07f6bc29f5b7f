"""All seeds of an experiment: a process a seed, as many at a time as asked, until they are done or the time is up."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol

from filelock import FileLock, Timeout

from harness.findings.folder import NAMES, RECORD, ExperimentFolder
from harness.findings.record import FindingsRecord, record_of
from harness.fleet.processes import Process, end, started, wait_for
from zoo.errors import Busy, SeedFailed
from zoo.files import write_atomically
from zoo.reproduce.arms import planned_tokens
from zoo.reproduce.record import STOPPED, ArmResult
from zoo.reproduce.scale import Scale

LOOK_EVERY = 2.0
"""Seconds between two looks at what the seeds have left."""
PATIENCE = 30.0
"""Seconds that a seed has to save itself where the run is stopped."""


@dataclass(frozen=True)
class Experiment:
    """What is asked for: the seeds, how many run at a time, and after how many hours no other seed is begun."""

    scale: Scale
    seeds: tuple[int, ...]
    workers: int
    hours: float
    out: Path


class Watcher(Protocol):
    """Whom a run tells."""

    def went_on(self, done: int, of: int) -> None:
        """Models were trained on `done` of `of` tokens, over all seeds."""
        ...

    def note(self, line: str) -> None:
        """What is to be known at once."""
        ...


@dataclass(frozen=True)
class RunOutcome:
    """The record of what is there, and the seeds that the time did not suffice for."""

    record: FindingsRecord
    not_begun: tuple[int, ...]

    @property
    def whole(self) -> bool:
        """Whether every seed that was asked for is done."""
        return not self.not_begun


def run_experiment(asked: Experiment, watcher: Watcher) -> RunOutcome:
    """Compute what is missing and write the record; a call that goes on repeats no arm that is done.

    Where it is interrupted the seeds under way save themselves and KeyboardInterrupt goes on; the record of what is there is
    written first. Raises OtherRun and NotWritable of the folder, Busy while another run holds it, SeedFailed.
    """
    folder = ExperimentFolder(asked.out, asked.scale)
    folder.open()
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(asked.out / ".lock", timeout=0))
        except Timeout:
            raise Busy(f"Another run works on {asked.out}.", "Wait for it, or give another --out.") from None
        stack.callback(lambda: write_record(folder))
        not_begun = _Run(asked, folder, watcher).to_the_end()
    return RunOutcome(write_record(folder), not_begun)


def write_record(folder: ExperimentFolder) -> FindingsRecord:
    """findings.json of the seeds that have left anything; returned too."""
    record = record_of(folder.scale, folder.seeds(), NAMES, folder.rules)
    write_atomically(folder.path / RECORD, record.text().encode())
    return record


class _Run:
    def __init__(self, asked: Experiment, folder: ExperimentFolder, watcher: Watcher) -> None:
        self.asked, self.folder, self.watcher = asked, folder, watcher
        self.began = time.monotonic()
        self.running: dict[Process, int] = {}
        self.waiting = [seed for seed in asked.seeds if self._missing(seed)]

    def to_the_end(self) -> tuple[int, ...]:
        """Run the seeds; those that were not begun for want of time."""
        try:
            while self.running or self.waiting:
                while self.waiting and len(self.running) < self.asked.workers and self._has_time(self.waiting[0]):
                    self._begin(self.waiting.pop(0))
                if not self.running:
                    break
                self._tell()
                for process in wait_for(list(self.running), LOOK_EVERY):
                    self._ended(process)
        finally:
            end(list(self.running), signal.SIGINT, PATIENCE)
        self._tell()
        if self.waiting:
            numbers = ", ".join(map(str, self.waiting))
            self.watcher.note(
                f"The {self.asked.hours:g} h do not suffice for seeds {numbers}; the same command goes on with them."
            )
        return tuple(self.waiting)

    def _begin(self, seed: int) -> None:
        place = self.folder.seed(seed)
        place.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, "-m", "zoo.reproduce", str(seed), str(place), "--scale", self.asked.scale.name]
        with (place / "log.txt").open("ab") as log:
            self.running[started(words, log, log, _environment())] = seed

    def _ended(self, process: Process) -> None:
        seed = self.running.pop(process)
        if process.returncode == 0 and not self._missing(seed):
            return
        if process.returncode in (STOPPED, -signal.SIGINT, -signal.SIGTERM):
            raise KeyboardInterrupt
        log = self.folder.seed(seed) / "log.txt"
        lines = log.read_text("utf-8", "replace").splitlines() or ["it said nothing"]
        raise SeedFailed(
            f"Seed {seed} ended with code {process.returncode} before it was done: {lines[-1][:300]}",
            f"{log} has all that it said. The same command goes on after the last arm that is done.",
        )

    def _missing(self, seed: int) -> int:
        return len(NAMES) - len(self.folder.arms(seed))

    def _has_time(self, seed: int) -> bool:
        """Whether a seed would end within the hours, by what seeds have taken so far. The first ones begin unasked."""
        whole = self._seconds_a_seed()
        if whole is None:
            return True
        due = time.monotonic() - self.began + whole - _spent(self.folder.arms(seed).values())
        return due <= 3600 * self.asked.hours

    def _seconds_a_seed(self) -> float | None:
        """The median of those that are whole; None before there is one."""
        whole = [_spent(arms.values()) for arms in self.folder.seeds().values() if len(arms) == len(NAMES)]
        return median(whole) if whole else None

    def _tell(self) -> None:
        planned = planned_tokens(self.asked.scale)
        found = [self.folder.arms(seed) for seed in self.asked.seeds]
        done = sum(planned[name] for arms in found for name in arms)
        self.watcher.went_on(done, sum(planned.values()) * len(found))


def _spent(arms: Iterable[ArmResult]) -> float:
    return sum(arm.wall_seconds for arm in arms)


def _environment() -> Mapping[str, str]:
    """A seed computes on one thread: two of them then do not wait for each other."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
