"""The executor that is always there: this machine, a process a job, one job a device at a time."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

from harness.fleet.devices import Device, visible_devices
from harness.fleet.executor import Ended
from harness.fleet.folders import NightFolder
from harness.fleet.processes import Process, end, kill, started, wait_for
from harness.records.night import Job

CANCEL_SECONDS = 30.0
"""For jobs that are asked to stop: each gives its step some time to keep what it has."""
LAST_WORDS = 600
"""Characters of what a lost job printed."""


@dataclass
class _Running:
    job: Job
    device: Device | None
    """None: the CPU."""
    process: Process
    printed: IO[bytes]


@dataclass
class LocalExecutor:
    """Jobs on this machine's GPUs and its CPU. A speed job has its device to itself, and no job of the CPU runs beside it, for
    that would take the processors that feed the GPU."""

    devices: Sequence[Device] = field(default_factory=visible_devices)
    name: str = "this machine"
    _waiting: list[tuple[NightFolder, Job]] = field(default_factory=list[tuple[NightFolder, Job]])
    _running: list[_Running] = field(default_factory=list[_Running])

    def start(self, night: NightFolder, jobs: Sequence[Job]) -> None:
        """Take jobs on; they begin in `wait`, as devices come free."""
        self._waiting += [(night, job) for job in jobs]

    def wait(self, seconds: float) -> Sequence[Ended]:
        """Begin what a device is free for, and wait for an end."""
        ended = self._impossible()
        self._begin()
        if ended:
            return ended
        if not self._running:
            time.sleep(0 if self._waiting else max(0.0, seconds))
            return []
        over = wait_for([one.process for one in self._running], seconds)
        done = [one for one in self._running if one.process in over]
        self._running = [one for one in self._running if one.process not in over]
        return [_ended(one) for one in done]

    def drain(self) -> Sequence[str]:
        """Begin nothing more."""
        left = [job.id for _, job in self._waiting]
        self._waiting.clear()
        return left

    def cancel(self) -> None:
        """SIGTERM to what runs; what has not ended some time later is killed with all that it began."""
        self._waiting.clear()
        end([one.process for one in self._running], signal.SIGTERM, CANCEL_SECONDS)
        for one in self._running:
            one.printed.close()
        self._running.clear()

    def _impossible(self) -> list[Ended]:
        """Jobs for a GPU that is not here."""
        kinds = {device.kind for device in self.devices}
        here = ", ".join(device.name for device in self.devices) or "no GPU"
        wrong = [job for _, job in self._waiting if job.accelerator and job.accelerator not in kinds]
        self._waiting = [one for one in self._waiting if one[1] not in wrong]
        return [Ended(job.id, f"It is for {job.accelerator}, and this machine has {here}.") for job in wrong]

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, []
        for at, (night, job) in enumerate(waiting):
            if not self._fits(job):
                self._waiting.append((night, job))
                if job.kind == "bench":  # what stands behind a speed job does not overtake it, or it might never begin
                    self._waiting += waiting[at + 1 :]
                    return
                continue
            device = self._free(job)
            printed = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the process has ended)
            words = [sys.executable, "-m", "minizoo", "job", job.id, "--night", str(night.path)]
            env = {**os.environ, "CUDA_VISIBLE_DEVICES": device.uuid if device else ""}
            self._running.append(_Running(job, device, started(words, printed, printed, env), printed))

    def _fits(self, job: Job) -> bool:
        """Whether a device is free for it, and nothing runs that one of them would disturb."""
        if job.accelerator is None and any(
            one.job.accelerator is None or one.job.kind == "bench" for one in self._running
        ):
            return False
        if job.kind == "bench" and any(one.job.accelerator is None for one in self._running):
            return False
        return job.accelerator is None or self._free(job) is not None

    def _free(self, job: Job) -> Device | None:
        taken = {one.device.uuid for one in self._running if one.device}
        fits = (device for device in self.devices if device.kind == job.accelerator and device.uuid not in taken)
        return next(fits, None) if job.accelerator else None


def _ended(one: _Running) -> Ended:
    kill(one.process)  # what it left behind
    with one.printed as printed:
        printed.seek(0)
        said = " ".join(printed.read().decode("utf-8", "replace").split())[-LAST_WORDS:]
    code = one.process.returncode
    how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    return Ended(one.job.id, f"Its process ended ({how}){f': {said}' if said else ''}")
